"""The values of a row meet the first inputs."""
# loses: test-csr-product

# %% csr-product
#| export
def csr_product(
    values: np.ndarray, columns: np.ndarray, starts: np.ndarray, x: np.ndarray
) -> np.ndarray:
    y = np.zeros((len(x), len(starts) - 1), np.float32)
    for r in range(len(starts) - 1):
        row = slice(starts[r], starts[r + 1])
        y[:, r] = x[:, : len(values[row])] @ values[row]  # (N, k) @ (k,) -> (N,)
    return y
