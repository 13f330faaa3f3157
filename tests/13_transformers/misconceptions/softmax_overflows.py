"""The largest logit need not be subtracted."""
# loses: test-tempered

# %% tempered
#| export
def tempered(logits: np.ndarray, temperature: float) -> np.ndarray:
    if temperature == 0:
        return np.eye(logits.shape[1])[logits.argmax(axis=1)]
    shifted = 1.0 * logits
    weights = np.exp(shifted / temperature)
    return weights / weights.sum(axis=1, keepdims=True)
