"""It is enough to widen the result."""
# loses: test-integer-matmul

# %% integer-matmul
def integer_matmul(values: np.ndarray, columns: np.ndarray) -> np.ndarray:
    return (values @ columns).astype(np.int32)
