"""Exponentials of scores are never too large."""
# loses: test-attention-loops

# %% attention-loops
def attention_loops(
    q: np.ndarray, k: np.ndarray, v: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    (T, d), S = q.shape, len(k)
    out, weights = np.zeros((T, v.shape[1]), np.float32), np.zeros((T, S), np.float32)
    for t in range(T):
        scores = [sum(a * b for a, b in zip(q[t], k[s], strict=True)) / sqrt(d) for s in range(S)]
        exponentials = [np.e ** float(score) for score in scores]
        for s in range(S):
            weights[t, s] = exponentials[s] / sum(exponentials)
            out[t] += weights[t, s] * v[s]
    return out, weights
