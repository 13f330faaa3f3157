"""Biases are drawn like weights."""
# loses: test-initial-std

# %% initial-std
#| export
WRITES_ON_STREAM = ("out_proj.weight", "down.weight")


def initial_std(path: str, num_layers: int) -> float:
    return 0.02 / sqrt(2 * num_layers) if path.endswith(WRITES_ON_STREAM) else 0.02
