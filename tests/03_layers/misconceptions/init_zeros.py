"""Training will find the numbers, so they may start at zero."""
# loses: test-linear-layer, test-module-layers

# %% linear-layer
#| export
class Linear(Module):
    def __init__(self, in_features, out_features, bias=True):
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(np.zeros((out_features, in_features)))
        self.bias = Parameter(np.zeros(out_features)) if bias else None

    def forward(self, x):
        return linear(x, self.weight, self.bias)
