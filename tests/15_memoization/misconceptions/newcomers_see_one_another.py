"""All newcomers see one another."""
# loses: test-attend-new, test-block-step, test-advance, test-remembering, test-module-memoization

# %% attend-new
#| export
def attend_new(q: np.ndarray, keys: np.ndarray, values: np.ndarray) -> np.ndarray:
    scores = (q * (1 / sqrt(q.shape[3]))) @ keys.swapaxes(-1, -2)  # (B, H, T, S)
    scores -= scores.max(axis=-1, keepdims=True)
    np.exp(scores, out=scores)
    return (scores @ values) / scores.sum(axis=-1, keepdims=True)  # (B, H, T, d)
