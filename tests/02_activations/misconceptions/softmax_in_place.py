"""The scores are not needed any more, so their memory may be used."""
# loses: test-softmax

# %% softmax
#| export
@op
def softmax(x, axis=-1):
    x -= x.max(axis=axis, keepdims=True)
    np.exp(x, out=x)
    return x / x.sum(axis=axis, keepdims=True)
