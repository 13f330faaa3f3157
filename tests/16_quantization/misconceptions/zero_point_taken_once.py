"""The zero point is subtracted from the sum, once."""
# loses: test-int8-linear, test-quantize-model, test-module-quantization

# %% int8-linear
#| export
def int8_linear(
    x: np.ndarray, grid: tuple[Any, Any, int], values: np.ndarray, weight_scale: np.ndarray
) -> np.ndarray:
    scale, zero_point, bits = grid
    whole = on_grid(x, scale, zero_point, bits)
    sums = int8_matmul(values, whole.T) - zero_point
    sums *= scale * weight_scale
    return sums.T
