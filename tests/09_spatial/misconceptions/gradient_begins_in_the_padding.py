"""The image begins at pixel (0, 0) of the padded image."""
# loses: test-conv2d-backward, test-module-spatial

# %% conv2d-backward
#| export
def conv2d_backward(x: np.ndarray, weight: np.ndarray, g: np.ndarray, window: Window, groups: int = 1, needs_x: bool = True) -> tuple[np.ndarray | None, np.ndarray]:
    (C, N, H, W), (top, left) = x.shape, window.padding
    wide = by_group(g, groups)
    dweight = kernels_gradient(wide, by_group(im2col(x, window), groups)).reshape(weight.shape)
    if not needs_x:
        return None, dweight
    dcols = columns_gradient(wide, by_group(weight, groups))
    dcols = dcols.reshape(C, *window.kernel, N, *g.shape[2:])
    dx = col2im(dcols, window, (C, N, H + 2 * top, W + 2 * left))
    return dx[:, :, :H, :W], dweight
