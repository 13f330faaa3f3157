"""The variance is the mean of the squares less the square of the mean."""
# loses: test-layer-norm-forward

# %% layer-norm-forward
#| export
def layer_norm_forward(
    rows: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    C = rows.shape[1]
    mean = rows @ np.full(C, 1 / C, rows.dtype)  # (M, C) @ (C,) -> (M,)
    normal = rows - mean[:, None]
    root = np.einsum("mc,mc->m", rows, rows) / np.float32(C) - mean * mean
    root = np.maximum(root, 0)
    root = np.sqrt(root + np.float32(eps))
    normal *= (1 / root)[:, None]
    y = normal * weight
    y += bias
    return y, normal, root
