"""A variance is always divided by n - 1."""
# loses: test-reduce-var

# %% reduce-var
#| export
@op
def reduce_var(x, axis=None, keepdims=False):
    return x.var(axis=axis, keepdims=keepdims, ddof=1)
