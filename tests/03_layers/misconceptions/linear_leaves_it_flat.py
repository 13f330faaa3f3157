"""The result is a table with one row for each sample, so the flattened product is what is wanted."""
# loses: test-linear, test-module-layers

# %% linear
#| export
@op
def linear(x, weight, bias=None):
    if x.ndim == 0 or x.shape[-1] != weight.shape[1]:
        raise ShapeError(f"linear: shapes {x.shape} and {weight.shape} do not fit")
    y = x.reshape(-1, x.shape[-1]) @ weight.T
    if bias is not None:
        y += bias
    return y
