"""The mean divides by the number of elements, and x.size is the number of elements."""
# loses: test-reduce-mean, test-module-tensor

# %% reduce-mean
#| export
@op
def reduce_mean(x, axis=None, keepdims=False):
    return x.sum(axis=axis, keepdims=keepdims) / x.size
