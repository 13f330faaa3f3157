"""The scale alone leads onto the grid and back."""
# loses: test-quantize-int8, test-dequantize-int8, test-int8-linear, test-quantize-model, test-module-quantization

# %% quantize-int8
#| export
def on_grid(x: np.ndarray, scale: Any, zero_point: Any, bits: int = 8) -> np.ndarray:
    top = 2 ** (bits - 1) - 1
    return np.clip(np.rint(x / scale), -top - 1, top)


def quantize_int8(
    x: Any, axis: int | None = None, symmetric: bool = False, bits: int = 8
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    check_bits(bits)
    x = np.asarray(raw(x), dtype=np.float32)
    low, high = value_range(x, axis)
    scale, zero_point = scale_and_zero_point(low, high, bits, symmetric)
    return on_grid(x, scale, zero_point, bits).astype(np.int8), scale, zero_point


# %% dequantize-int8
#| export
def dequantize_int8(values: np.ndarray, scale: Any, zero_point: Any = 0) -> np.ndarray:
    return values.astype(np.float32) * np.float32(scale)
