"""Each window puts its gradient where the pixel is."""
# loses: test-col2im, test-conv2d-backward, test-module-spatial

# %% col2im
#| export
def col2im(dcols: np.ndarray, window: Window, shape: tuple[int, ...]) -> np.ndarray:
    dx = np.zeros(shape, np.float32)
    view = windows(dx, window, dcols.shape[-2:])
    for i, j in np.ndindex(window.kernel):
        view[:, i, j] = dcols[:, i, j]
    return dx
