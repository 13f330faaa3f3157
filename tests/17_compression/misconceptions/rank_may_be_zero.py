"""A small ratio leaves nothing."""
# loses: test-low-rank

# %% low-rank
#| export
def low_rank_approximate(
    weight: np.ndarray, rank_ratio: float = 0.5
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    check_matrix(weight, rank_ratio)
    rank = round(rank_ratio * min(weight.shape))
    U, S, V = np.linalg.svd(weight, full_matrices=False)
    return U[:, :rank], S[:rank], V[:rank]
