"""Any shift cancels, so one maximum serves the whole batch."""
# loses: test-softmax

# %% softmax
#| export
@op
def softmax(x, axis=-1):
    e = np.exp(x - x.max())
    return e / e.sum(axis=axis, keepdims=True)
