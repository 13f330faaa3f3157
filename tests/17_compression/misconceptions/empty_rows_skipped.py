"""A row without values needs no entry."""
# loses: test-to-csr, test-csr-product, test-module-compression

# %% to-csr
#| export
def to_csr(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows, columns = np.nonzero(weight)
    counts = np.count_nonzero(weight, axis=1)  # (out,)
    starts = np.concatenate([[0], np.cumsum(counts[counts > 0])])
    return weight[rows, columns], columns, starts
