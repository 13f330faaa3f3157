"""keepdims only concerns how the result is printed."""
# loses: test-reduce-mean

# %% reduce-mean
#| export
@op
def reduce_mean(x, axis=None, keepdims=False):
    return x.sum(axis=axis) / count_reduced(x.shape, axis)
