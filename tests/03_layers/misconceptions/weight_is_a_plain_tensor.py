"""A Tensor that needs a gradient is a parameter."""
# loses: test-module-layers

# %% linear-layer
#| export
class Linear(Module):
    def __init__(self, in_features, out_features, bias=True):
        self.in_features = in_features
        self.out_features = out_features
        bound = 1 / sqrt(in_features)
        self.weight = Tensor(generator().uniform(-bound, bound, size=(out_features, in_features)), requires_grad=True)
        self.bias = Tensor(generator().uniform(-bound, bound, size=out_features), requires_grad=True) if bias else None

    def forward(self, x):
        return linear(x, self.weight, self.bias)
