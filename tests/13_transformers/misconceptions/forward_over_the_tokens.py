"""Mean and variance run over the tokens, one for each channel."""
# loses: test-layer-norm-forward, test-block, test-module-transformers

# %% layer-norm-forward
#| export
def layer_norm_forward(
    rows: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    normal = rows - rows.mean(axis=0)
    root = np.sqrt(normal.var(axis=0) + np.float32(eps))
    normal = normal / root
    y = normal * weight
    y += bias
    return y, normal, root
