"""A symmetric grid has the lowest whole number as well, and one more step."""
# loses: test-scale-and-zero-point, test-quantize-int8, test-calibrated-range

# %% scale-and-zero-point
#| export
def scale_and_zero_point(
    low: Any, high: Any, bits: int = 8, symmetric: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
    top = 2 ** (bits - 1) - 1
    width = np.maximum(-low, high) / (top + 1) if symmetric else (high - low) / (2**bits - 1)
    scale = np.float32(width)
    scale = np.where(scale == 0, np.float32(1), scale)
    zero_point = np.zeros_like(scale) if symmetric else np.rint(-top - 1 - low / scale)
    return scale, zero_point.astype(np.int16)
