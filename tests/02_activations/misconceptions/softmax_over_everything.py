"""Probabilities sum to 1, so the sum runs over all elements."""
# loses: test-softmax, test-module-activations

# %% softmax
#| export
@op
def softmax(x, axis=-1):
    e = np.exp(x - x.max())
    return e / e.sum()
