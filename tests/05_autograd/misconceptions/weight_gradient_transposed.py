"""The gradient of a weight is x^T g, as in y = x W."""
# loses: test-rules-linear, test-module-autograd

# %% rules-linear
#| export
@derivative(linear, "x")
def linear_x(g, weight):
    return g @ weight

@derivative(linear, "weight")
def linear_weight(g, x):
    return x.reshape(-1, x.shape[-1]).T @ g.reshape(-1, g.shape[-1])
