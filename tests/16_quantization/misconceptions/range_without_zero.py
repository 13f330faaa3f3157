"""A grid goes from the smallest number to the largest, and 0 need not be on it."""
# loses: test-scale-and-zero-point

# %% scale-and-zero-point
#| export
def scale_and_zero_point(
    low: Any, high: Any, bits: int = 8, symmetric: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    top = 2 ** (bits - 1) - 1
    width = np.maximum(-low, high) / top if symmetric else (np.asarray(high) - low) / (2**bits - 1)
    scale = np.float32(width)
    scale = np.where(scale == 0, np.float32(1), scale)
    zero_point = np.zeros_like(scale) if symmetric else np.clip(np.rint(-top - 1 - low / scale), -999, 999)
    return scale, zero_point.astype(np.int16)
