"""Halves are rounded up."""
# loses: test-quantize-int8

# %% quantize-int8
#| export
def on_grid(x: np.ndarray, scale: Any, zero_point: Any, bits: int = 8) -> np.ndarray:
    top = 2 ** (bits - 1) - 1
    return np.clip(np.floor(x / scale + np.float32(0.5)) + np.float32(zero_point), -top - 1, top)


def quantize_int8(
    x: Any, axis: int | None = None, symmetric: bool = False, bits: int = 8
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    check_bits(bits)
    x = np.asarray(raw(x), dtype=np.float32)
    low, high = value_range(x, axis)
    scale, zero_point = scale_and_zero_point(low, high, bits, symmetric)
    return on_grid(x, scale, zero_point, bits).astype(np.int8), scale, zero_point
