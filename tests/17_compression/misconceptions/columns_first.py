"""A matrix is read down its columns."""
# loses: test-to-csr, test-csr-product, test-module-compression

# %% to-csr
#| export
def to_csr(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    columns, rows = np.nonzero(weight.T)
    counts = np.count_nonzero(weight, axis=1)  # (out,)
    starts = np.concatenate([[0], np.cumsum(counts)])
    return weight[rows, columns], columns, starts
