"""The formula is the program; e^x is always a number."""
# loses: test-softmax

# %% softmax
#| export
@op
def softmax(x, axis=-1):
    e = np.exp(x)
    return e / e.sum(axis=axis, keepdims=True)
