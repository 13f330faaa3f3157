"""Neighbouring windows are neighbours in memory."""
# loses: test-windows, test-im2col, test-conv2d-forward, test-col2im, test-max-pool-forward, test-avg-pool, test-module-spatial

# %% windows
#| export
def windows(x: np.ndarray, window: Window, grid: tuple[int, int]) -> np.ndarray:
    c, n, row, column = x.strides
    down, right = window.stride
    gap_down, gap_right = window.dilation
    shape = (x.shape[0], *window.kernel, x.shape[1], *grid)
    strides = (c, gap_down * row, gap_right * column, n, row, column)
    return strided(x, shape, strides)
