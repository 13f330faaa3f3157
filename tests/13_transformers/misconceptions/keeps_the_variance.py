"""The way back needs the variance."""
# loses: test-layer-norm-forward, test-module-transformers

# %% layer-norm-forward
#| export
def layer_norm_forward(
    rows: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    C = rows.shape[1]
    mean = rows @ np.full(C, 1 / C, rows.dtype)  # (M, C) @ (C,) -> (M,)
    normal = rows - mean[:, None]
    root = np.einsum("mc,mc->m", normal, normal) / np.float32(C)  # (M,)
    root = np.sqrt(root + np.float32(eps))
    normal *= (1 / root)[:, None]
    y = normal * weight
    y += bias
    return y, normal, root * root - np.float32(eps)
