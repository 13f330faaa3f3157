"""The logarithm of softmax is log(softmax): one after the other."""
# loses: test-log-softmax

# %% log-softmax
#| export
@op
def log_softmax(x, axis=-1):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return np.log(e / e.sum(axis=axis, keepdims=True))
