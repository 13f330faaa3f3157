"""The product lies in the order (N, O, Ho, Wo), as the images of a batch do."""
# loses: test-conv2d-forward, test-conv2d-backward, test-module-spatial

# %% conv2d-forward
#| export
def conv2d_forward(x: np.ndarray, weight: np.ndarray, bias: Any, window: Window, groups: int = 1) -> np.ndarray:
    cols = by_group(im2col(x, window), groups)
    product = by_group(weight, groups) @ cols
    y = product.reshape(x.shape[1], len(weight), *window.output(*x.shape[2:])).swapaxes(0, 1)
    y = y.astype(np.float32)
    y += bias
    return y
