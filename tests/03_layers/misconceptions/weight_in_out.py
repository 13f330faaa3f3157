"""The weight is drawn as it is used, (in, out), and turned back in forward."""
# loses: test-linear-layer, test-module-layers

# %% linear-layer
#| export
class Linear(Module):
    def __init__(self, in_features, out_features, bias=True):
        self.in_features = in_features
        self.out_features = out_features
        bound = 1 / sqrt(in_features)
        self.weight = Parameter(generator().uniform(-bound, bound, size=(in_features, out_features)))
        self.bias = Parameter(generator().uniform(-bound, bound, size=out_features)) if bias else None

    def forward(self, x):
        y = x @ self.weight
        return y if self.bias is None else y + self.bias
