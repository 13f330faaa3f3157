"""A grid for each row differs from one grid for all only in the shape of the scale."""
# loses: test-quantize-int8

# %% quantize-int8
#| export
def on_grid(x: np.ndarray, scale: Any, zero_point: Any, bits: int = 8) -> np.ndarray:
    top = 2 ** (bits - 1) - 1
    return np.clip(np.rint(x / scale) + zero_point, -top - 1, top)


def quantize_int8(
    x: Any, axis: int | None = None, symmetric: bool = False, bits: int = 8
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    check_bits(bits)
    x = np.asarray(raw(x), dtype=np.float32)
    low, high = value_range(x)
    scale, zero_point = scale_and_zero_point(low, high, bits, symmetric)
    if axis is not None:
        shape = [n if i == axis % x.ndim else 1 for i, n in enumerate(x.shape)]
        scale, zero_point = np.full(shape, scale), np.full(shape, zero_point)
    return on_grid(x, scale, zero_point, bits).astype(np.int8), scale, zero_point
