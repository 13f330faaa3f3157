"""What is known need not be read, the last id included."""
# loses: test-common-prefix, test-remembering

# %% common-prefix
#| export
def common_prefix(known: np.ndarray, window: np.ndarray) -> int:
    most = min(known.shape[1], window.shape[1])
    differs = (known[:, :most] != window[:, :most]).any(axis=0)  # (most,)
    return int(differs.argmax()) if differs.any() else most
