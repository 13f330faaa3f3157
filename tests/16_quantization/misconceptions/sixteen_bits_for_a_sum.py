"""A product of two bytes has 16 bits, so 16 bits hold the sums."""
# loses: test-integer-matmul

# %% integer-matmul
def integer_matmul(values: np.ndarray, columns: np.ndarray) -> np.ndarray:
    return (values.astype(np.int16) @ columns.astype(np.int16)).astype(np.int32)
