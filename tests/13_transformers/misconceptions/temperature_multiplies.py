"""A higher temperature multiplies the logits."""
# loses: test-tempered

# %% tempered
#| export
def tempered(logits: np.ndarray, temperature: float) -> np.ndarray:
    if temperature == 0:
        return np.eye(logits.shape[1])[logits.argmax(axis=1)]
    shifted = logits - logits.max(axis=1, keepdims=True)  # (B, V)
    weights = np.exp(shifted * temperature)
    return weights / weights.sum(axis=1, keepdims=True)
