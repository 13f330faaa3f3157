"""A variance is always divided by n - 1."""
# loses: test-reduce-var

# %% reduce-var
#| export
@op
def reduce_var(x, axis=None, keepdims=False):
    n = count_reduced(x.shape, axis)
    distance = x - x.sum(axis=axis, keepdims=True) / n
    return (distance * distance).sum(axis=axis, keepdims=keepdims) / (n - 1)
