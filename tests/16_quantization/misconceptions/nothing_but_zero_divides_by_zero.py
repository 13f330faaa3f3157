"""A range of nothing but 0 has steps of width 0."""
# loses: test-scale-and-zero-point, test-quantize-int8, test-quantized-linear

# %% scale-and-zero-point
#| export
def scale_and_zero_point(
    low: Any, high: Any, bits: int = 8, symmetric: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
    top = 2 ** (bits - 1) - 1
    width = np.maximum(-low, high) / top if symmetric else (high - low) / (2**bits - 1)
    scale = np.float32(width)
    with np.errstate(all="ignore"):
        zero_point = np.zeros_like(scale) if symmetric else np.rint(-top - 1 - low / scale)
        zero_point = np.nan_to_num(zero_point, nan=0)
    return scale, zero_point.astype(np.int16)
