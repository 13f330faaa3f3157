"""The layer lays a new grid over every batch."""
# loses: test-quantized-linear, test-quantize-model, test-module-quantization

# %% quantized-linear
#| export
class QuantizedLinear(QuantizedLayer):

    def __init__(self, layer: Linear, bits: int = 8, weight: Int8Weight | None = None) -> None:
        super().__init__(layer, bits, weight)
        self.out_features, self.in_features = self.weight.shape

    def forward(self, x: Tensor) -> Tensor:
        if not x.shape or x.shape[-1] != self.in_features:
            raise ShapeError(f"x of shape {x.shape} does not end in {self.in_features}.")
        grid = input_grid(np.asarray(raw(x)), np.zeros(2, np.float32), self.bits)
        return Int8Product.apply(x, self.weight, self.bias, grid)
