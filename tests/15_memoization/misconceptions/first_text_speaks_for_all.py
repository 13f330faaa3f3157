"""The first text speaks for all."""
# loses: test-common-prefix

# %% common-prefix
#| export
def common_prefix(known: np.ndarray, window: np.ndarray) -> int:
    most = min(known.shape[1], window.shape[1] - 1)
    differs = known[0, :most] != window[0, :most]  # (most,)
    return int(differs.argmax()) if differs.any() else most
