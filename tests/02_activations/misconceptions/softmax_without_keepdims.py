"""NumPy finds out by itself that a sum belongs to its row."""
# loses: test-softmax, test-module-activations

# %% softmax
#| export
@op
def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis)
