"""It does not matter where the exponentials lie."""
# loses: test-weigh, test-module-attention

# %% weigh
#| export
def weigh(
    scores: np.ndarray, value: np.ndarray, shift: bool = True
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if shift:
        top = scores.max(axis=-1, keepdims=True, initial=LOWEST)  # (..., T, 1)
        scores -= top
    else:
        top = np.zeros((*scores.shape[:-1], 1), np.float32)
    scores = np.exp(scores)
    ones = np.ones((scores.shape[-1], 1), np.float32)
    return scores @ value, scores @ ones, top  # (..., T, S) @ (..., S, e) and (S, 1)
