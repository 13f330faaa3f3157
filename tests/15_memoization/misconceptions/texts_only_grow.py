"""A text only grows."""
# loses: test-common-prefix, test-remembering, test-module-memoization

# %% common-prefix
#| export
def common_prefix(known: np.ndarray, window: np.ndarray) -> int:
    return min(known.shape[1], window.shape[1] - 1)
