"""A mask may have any type of number."""
# loses: test-masks

# %% masks
#| export
def causal_mask(T: int, S: int) -> np.ndarray:
    return np.arange(T)[:, None] >= np.arange(S)  # (T, 1) >= (S,) -> (T, S)


def as_numbers(allowed: np.ndarray) -> np.ndarray:
    return np.where(allowed, 0.0, -inf)
