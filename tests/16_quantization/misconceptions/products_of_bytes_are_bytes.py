"""NumPy makes room for a product by itself."""
# loses: test-integer-matmul

# %% integer-matmul
def integer_matmul(values: np.ndarray, columns: np.ndarray) -> np.ndarray:
    return values @ columns
