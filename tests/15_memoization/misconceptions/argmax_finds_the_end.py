"""Where nothing differs, argmax gives the end."""
# loses: test-common-prefix, test-remembering, test-module-memoization

# %% common-prefix
#| export
def common_prefix(known: np.ndarray, window: np.ndarray) -> int:
    most = min(known.shape[1], window.shape[1] - 1)
    differs = (known[:, :most] != window[:, :most]).any(axis=0)  # (most,)
    return int(differs.argmax())
