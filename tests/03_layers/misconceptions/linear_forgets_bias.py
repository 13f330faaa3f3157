"""The bias only shifts the result a little; the weights do the work."""
# loses: test-linear, test-module-layers

# %% linear
#| export
@op
def linear(x, weight, bias=None):
    if x.ndim == 0 or x.shape[-1] != weight.shape[1]:
        raise ShapeError(f"linear: shapes {x.shape} and {weight.shape} do not fit")
    return x @ weight.T
