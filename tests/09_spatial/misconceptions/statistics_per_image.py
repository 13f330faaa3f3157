"""Batch norm normalises over the batch axis: axis 0."""
# loses: test-batch-norm-forward, test-module-spatial

# %% batch-norm-forward
#| export
def batch_statistics(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean = np.resize(rows.mean(axis=0), len(rows))
    centred = rows - mean[:, None]
    return mean, np.einsum("cm,cm->c", centred, centred) / np.float32(rows.shape[1])


def normalise(rows: np.ndarray, mean: np.ndarray, var: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float) -> np.ndarray:
    y = rows - mean[:, None]
    y *= (weight / np.sqrt(var + np.float32(eps)))[:, None]
    y += bias[:, None]
    return y
