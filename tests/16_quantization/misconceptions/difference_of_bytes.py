"""The difference of two bytes fits into a byte."""
# loses: test-dequantize-int8

# %% dequantize-int8
#| export
def dequantize_int8(values: np.ndarray, scale: Any, zero_point: Any = 0) -> np.ndarray:
    return (values - np.asarray(zero_point).astype(np.int8)) * np.float32(scale)
