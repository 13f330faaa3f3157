"""Whatever is as large as the k-th largest is kept."""
# loses: test-cut-tails

# %% cut-tails
#| export
def keep_top_k(probabilities: np.ndarray, k: int) -> np.ndarray:
    least = np.sort(probabilities, axis=1)[:, -k:][:, :1]
    kept = np.where(probabilities >= least, probabilities, 0)
    return kept / kept.sum(axis=1, keepdims=True)


def keep_top_p(probabilities: np.ndarray, p: float) -> np.ndarray:
    order = np.argsort(-probabilities, axis=1, kind="stable")  # (B, V)
    ranked = np.take_along_axis(probabilities, order, axis=1)
    before = ranked.cumsum(axis=1) - ranked
    kept = np.zeros_like(probabilities)
    np.put_along_axis(kept, order, np.where(before < p, ranked, 0), axis=1)
    return kept / kept.sum(axis=1, keepdims=True)
