"""Surprise is information, and information is measured in bits."""
# loses: test-log-softmax, test-module-losses

# %% log-softmax
#| export
@op
def log_softmax(x, axis=-1):
    shifted = x - x.max(axis=axis, keepdims=True)
    return (shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))) / np.float32(np.log(2))
