"""The running variance is the mean of the batches' variances."""
# loses: test-running-statistics, test-module-spatial

# %% running-statistics
#| export
def update_running(running_mean: np.ndarray, running_var: np.ndarray, mean: np.ndarray, var: np.ndarray, count: int, momentum: float) -> tuple[np.ndarray, np.ndarray]:
    unbiased = var
    return (1 - momentum) * running_mean + momentum * mean, (1 - momentum) * running_var + momentum * unbiased
