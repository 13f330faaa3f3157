"""The layer multiplies by its weight, so it is x @ weight; it says so in every book."""
# loses: test-linear, test-linear-layer, test-module-layers

# %% linear
#| export
@op
def linear(x, weight, bias=None):
    if x.ndim == 0 or x.shape[-1] != weight.shape[0]:
        raise ShapeError(f"linear: shapes {x.shape} and {weight.shape} do not fit")
    y = x @ weight
    return y if bias is None else y + bias
