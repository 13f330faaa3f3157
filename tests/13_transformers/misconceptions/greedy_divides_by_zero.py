"""A temperature of 0 is the limit of the formula, and takes care of itself."""
# loses: test-tempered, test-extend

# %% tempered
#| export
def tempered(logits: np.ndarray, temperature: float) -> np.ndarray:
    shifted = logits - logits.max(axis=1, keepdims=True)  # (B, V)
    weights = np.exp(shifted / temperature)
    return weights / weights.sum(axis=1, keepdims=True)
