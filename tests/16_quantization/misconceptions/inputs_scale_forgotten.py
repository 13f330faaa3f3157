"""The scale of the weight brings the sums back; the inputs' is used up by the rounding."""
# loses: test-int8-linear, test-quantized-linear, test-quantize-model, test-module-quantization

# %% int8-linear
#| export
def int8_linear(
    x: np.ndarray, grid: tuple[Any, Any, int], values: np.ndarray, weight_scale: np.ndarray
) -> np.ndarray:
    scale, zero_point, bits = grid
    whole = on_grid(x, scale, zero_point, bits) - zero_point
    sums = int8_matmul(values, whole.T)
    sums *= weight_scale
    return sums.T
