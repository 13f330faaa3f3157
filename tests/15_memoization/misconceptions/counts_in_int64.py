"""Whole numbers divide a float32 without changing its type."""
# loses: test-means-so-far

# %% means-so-far
#| export
def means_so_far(rows: np.ndarray) -> np.ndarray:
    counts = np.arange(1, len(rows) + 1)[:, None]  # (T, 1)
    return np.cumsum(rows, axis=0) / counts  # (T, C)
