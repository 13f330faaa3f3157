"""An exponential copes with any score."""
# loses: test-attend-new

# %% attend-new
#| export
def attend_new(q: np.ndarray, keys: np.ndarray, values: np.ndarray) -> np.ndarray:
    T, S = q.shape[2], keys.shape[2]
    scores = (q * (1 / sqrt(q.shape[3]))) @ keys.swapaxes(-1, -2)  # (B, H, T, S)
    if T > 1:
        scores += as_numbers(np.arange(S - T, S)[:, None] >= np.arange(S))  # (T, S)
    np.exp(scores, out=scores)
    return (scores @ values) / scores.sum(axis=-1, keepdims=True)  # (B, H, T, d)
