"""Classes always lie along the last axis."""
# loses: test-softmax, test-module-activations

# %% softmax
#| export
@op
def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
