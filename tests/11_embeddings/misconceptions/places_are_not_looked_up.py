"""Row k of a segment is row starts + k of g."""
# loses: test-add-rows, test-embedding-rule, test-module-embeddings, test-sum-rounds, test-tied-model

# %% sum-rounds
#| export
def sum_rounds(
    g: np.ndarray, order: np.ndarray, starts: np.ndarray, lengths: np.ndarray, limit: int
) -> np.ndarray:
    sums = g.take(starts, axis=0)
    for k in range(1, min(limit, lengths.max(initial=0))):
        longer = np.count_nonzero(lengths > k)
        sums[:longer] += g.take(starts[:longer] + k, axis=0)
    return sums
