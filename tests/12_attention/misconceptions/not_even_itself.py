"""A word may look at those before it, not at itself."""
# loses: test-masks, test-module-attention

# %% masks
#| export
def causal_mask(T: int, S: int) -> np.ndarray:
    return np.arange(T)[:, None] > np.arange(S)  # (T, 1) >= (S,) -> (T, S)


def as_numbers(allowed: np.ndarray) -> np.ndarray:
    return np.where(allowed, np.float32(0), np.float32(-inf))
