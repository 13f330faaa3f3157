"""Any constant may be subtracted, so the largest number of the table will do."""
# loses: test-log-softmax

# %% log-softmax
#| export
@op
def log_softmax(x, axis=-1):
    shifted = x - x.max()
    return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))
