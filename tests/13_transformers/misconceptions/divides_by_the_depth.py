"""2 L voices are held down by 1 / (2 L)."""
# loses: test-initial-std

# %% initial-std
#| export
WRITES_ON_STREAM = ("out_proj.weight", "down.weight")


def initial_std(path: str, num_layers: int) -> float:
    if path.endswith("bias"):
        return 0.0
    return 0.02 / (2 * num_layers) if path.endswith(WRITES_ON_STREAM) else 0.02
