"""Every array lies in memory in the order of its axes."""
# loses: test-windows

# %% windows
#| export
def windows(x: np.ndarray, window: Window, grid: tuple[int, int]) -> np.ndarray:
    row, column = x.shape[3] * x.itemsize, x.itemsize
    n = x.shape[2] * row
    c = x.shape[1] * n
    down, right = window.stride
    gap_down, gap_right = window.dilation
    shape = (x.shape[0], *window.kernel, x.shape[1], *grid)
    strides = (c, gap_down * row, gap_right * column, n, down * row, right * column)
    return strided(x, shape, strides)
