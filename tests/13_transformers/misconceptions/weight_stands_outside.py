"""As in batch norm, the weight can wait outside of the means."""
# loses: test-layer-norm-backward, test-module-transformers

# %% layer-norm-backward
#| export
def layer_norm_backward(
    g: np.ndarray, normal: np.ndarray, root: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    share, ones = np.full(g.shape[1], 1 / g.shape[1], np.float32), np.ones(len(g), np.float32)
    both = g * normal
    dweight, dbias = ones @ both, ones @ g  # (M,) @ (M, C) -> (C,)
    mean_h, mean_hn = g @ share, both @ share  # (M, C) @ (C,) -> (M,)
    dx = g.copy()
    dx -= mean_h[:, None]
    dx -= np.multiply(normal, mean_hn[:, None], out=both)
    dx *= weight / root[:, None]
    return dx, dweight, dbias
