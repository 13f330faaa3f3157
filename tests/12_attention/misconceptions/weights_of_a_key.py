"""The weights of each key add up to 1."""
# loses: test-attention-loops, test-composed, test-module-attention

# %% attention-loops
def attention_loops(
    q: np.ndarray, k: np.ndarray, v: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    (T, d), S = q.shape, len(k)
    out, weights = np.zeros((T, v.shape[1]), np.float32), np.zeros((T, S), np.float32)
    for t in range(T):
        scores = [sum(a * b for a, b in zip(q[t], k[s], strict=True)) / sqrt(d) for s in range(S)]
        weights[t] = scores
    weights = np.exp(weights - weights.max(axis=0))
    weights /= weights.sum(axis=0)
    for t in range(T):
        for s in range(S):
            out[t] += weights[t, s] * v[s]
    return out, weights
