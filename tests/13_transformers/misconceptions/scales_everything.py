"""Every weight starts smaller in a deeper model."""
# loses: test-initial-std, test-module-transformers

# %% initial-std
#| export
WRITES_ON_STREAM = ("out_proj.weight", "down.weight")


def initial_std(path: str, num_layers: int) -> float:
    if path.endswith("bias"):
        return 0.0
    return 0.02 / sqrt(2 * num_layers)
