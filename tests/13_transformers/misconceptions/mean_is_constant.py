"""Mean and variance of a token are constants."""
# loses: test-layer-norm-backward, test-module-transformers

# %% layer-norm-backward
#| export
def layer_norm_backward(
    g: np.ndarray, normal: np.ndarray, root: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    share, ones = weight / np.float32(g.shape[1]), np.ones(len(g), np.float32)
    both = g * normal
    dweight, dbias = ones @ both, ones @ g  # (M,) @ (M, C) -> (C,)
    mean_h, mean_hn = g @ share, both @ share  # (M, C) @ (C,) -> (M,)
    dx = g * weight
    dx *= (1 / root)[:, None]
    return dx, dweight, dbias
