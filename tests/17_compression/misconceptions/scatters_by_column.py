"""The column of a value is the output that it belongs to."""
# loses: test-csr-product

# %% csr-product
#| export
def csr_product(
    values: np.ndarray, columns: np.ndarray, starts: np.ndarray, x: np.ndarray
) -> np.ndarray:
    y = np.zeros_like(x)
    for r in range(len(starts) - 1):
        row = slice(starts[r], starts[r + 1])
        y[:, columns[row]] += x[:, r : r + 1] * values[row]
    return y
