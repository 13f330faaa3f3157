"""E[x^2] - E[x]^2 is the same thing, and needs one pass less."""
# loses: test-reduce-var

# %% reduce-var
#| export
@op
def reduce_var(x, axis=None, keepdims=False):
    n = count_reduced(x.shape, axis)
    mean = x.sum(axis=axis, keepdims=keepdims) / n
    return (x * x).sum(axis=axis, keepdims=keepdims) / n - mean * mean
