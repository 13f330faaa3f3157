"""The bias belongs to the float32 layer and goes with it."""
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
        return Int8Product.apply(x, self.weight, None, self.grid(x))
