"""The answers are divided, so the gradient need not be."""
# loses: test-attention-gradients, test-module-attention

# %% attention-gradients
#| export
def attention_gradients(
    g: np.ndarray, q: np.ndarray, k: np.ndarray, v: np.ndarray,
    e: np.ndarray, total: np.ndarray, out: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    dv = e.swapaxes(-1, -2) @ g  # (..., S, T) @ (..., T, e)
    ds = g @ v.swapaxes(-1, -2)  # (..., T, e) @ (..., e, S)
    ds -= np.vecdot(g, out)[..., None]
    ds *= e
    return ds @ k, ds.swapaxes(-1, -2) @ q, dv
