"""The rank is a share of the rows."""
# loses: test-low-rank

# %% low-rank
#| export
def low_rank_approximate(
    weight: np.ndarray, rank_ratio: float = 0.5
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    check_matrix(weight, rank_ratio)
    rank = max(1, round(rank_ratio * weight.shape[0]))
    U, S, V = np.linalg.svd(weight, full_matrices=False)
    return U[:, :rank], S[:rank], V[:rank]
