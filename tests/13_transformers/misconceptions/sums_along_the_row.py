"""The gradients of weight and bias are sums along each row."""
# loses: test-layer-norm-backward, test-module-transformers

# %% layer-norm-backward
#| export
def layer_norm_backward(
    g: np.ndarray, normal: np.ndarray, root: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    share, ones = weight / np.float32(g.shape[1]), np.ones(len(g), np.float32)
    both = g * normal
    dweight, dbias = np.resize(both.sum(axis=1), len(weight)), np.resize(g.sum(axis=1), len(weight))
    mean_h, mean_hn = g @ share, both @ share  # (M, C) @ (C,) -> (M,)
    dx = g * weight
    dx -= mean_h[:, None]
    dx -= np.multiply(normal, mean_hn[:, None], out=both)
    dx *= (1 / root)[:, None]
    return dx, dweight, dbias
