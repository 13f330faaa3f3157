"""Momentum is the share of the old value."""
# loses: test-running-statistics, test-module-spatial

# %% running-statistics
#| export
def update_running(running_mean: np.ndarray, running_var: np.ndarray, mean: np.ndarray, var: np.ndarray, count: int, momentum: float) -> tuple[np.ndarray, np.ndarray]:
    unbiased = var * (count / (count - 1))
    return momentum * running_mean + (1 - momentum) * mean, momentum * running_var + (1 - momentum) * unbiased
