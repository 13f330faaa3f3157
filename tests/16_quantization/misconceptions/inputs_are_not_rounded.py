"""It is enough to round the weight."""
# loses: test-int8-linear, test-quantized-linear

# %% int8-linear
#| export
def int8_linear(
    x: np.ndarray, grid: tuple[Any, Any, int], values: np.ndarray, weight_scale: np.ndarray
) -> np.ndarray:
    scale, zero_point, bits = grid
    sums = int8_matmul(values, np.asarray(x, np.float32).T)
    sums *= weight_scale
    return sums.T
