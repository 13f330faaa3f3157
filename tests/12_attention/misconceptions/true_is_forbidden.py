"""True in a mask means that a query may not look."""
# loses: test-masks, test-composed, test-multi-head, test-module-attention

# %% masks
#| export
def causal_mask(T: int, S: int) -> np.ndarray:
    return np.arange(T)[:, None] >= np.arange(S)  # (T, 1) >= (S,) -> (T, S)


def as_numbers(allowed: np.ndarray) -> np.ndarray:
    return np.where(allowed, np.float32(-inf), np.float32(0))
