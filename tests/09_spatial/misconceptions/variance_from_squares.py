"""The variance is the mean of the squares less the square of the mean."""
# loses: test-batch-norm-forward

# %% batch-norm-forward
#| export
def batch_statistics(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean = rows.mean(axis=1)
    return mean, (rows * rows).mean(axis=1) - mean * mean


def normalise(rows: np.ndarray, mean: np.ndarray, var: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float) -> np.ndarray:
    y = (rows - mean[:, None]) * (weight / np.sqrt(var + np.float32(eps)))[:, None] + bias[:, None]
    return y.astype(np.float32)
