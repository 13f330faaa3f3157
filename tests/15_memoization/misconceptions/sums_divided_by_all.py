"""Every sum is divided by the number of all rows."""
# loses: test-means-so-far

# %% means-so-far
#| export
def means_so_far(rows: np.ndarray) -> np.ndarray:
    return np.cumsum(rows, axis=0) / np.float32(len(rows))  # (T, C)
