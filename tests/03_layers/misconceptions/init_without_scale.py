"""Random means normal with standard deviation 1."""
# loses: test-linear-layer

# %% linear-layer
#| export
class Linear(Module):
    def __init__(self, in_features, out_features, bias=True):
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(generator().normal(size=(out_features, in_features)))
        self.bias = Parameter(generator().normal(size=out_features)) if bias else None

    def forward(self, x):
        return linear(x, self.weight, self.bias)
