"""The first row needs no start."""
# loses: test-to-csr, test-csr-product, test-module-compression

# %% to-csr
#| export
def to_csr(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows, columns = np.nonzero(weight)
    counts = np.count_nonzero(weight, axis=1)  # (out,)
    starts = np.cumsum(counts)
    return weight[rows, columns], columns, starts
