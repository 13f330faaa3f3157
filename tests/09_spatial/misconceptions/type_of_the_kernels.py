"""The result has the type of the kernels."""
# loses: test-conv2d-forward

# %% conv2d-forward
#| export
def conv2d_forward(x: np.ndarray, weight: np.ndarray, bias: Any, window: Window, groups: int = 1) -> np.ndarray:
    cols = by_group(im2col(x, window), groups)
    product = by_group(weight, groups) @ cols
    y = product.reshape(len(weight), x.shape[1], *window.output(*x.shape[2:]))
    return (y + bias).astype(weight.dtype)
