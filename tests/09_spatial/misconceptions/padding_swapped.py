"""The first number of the padding is for the columns, since x comes before y."""
# loses: test-im2col, test-conv2d-backward

# %% im2col
#| export
def im2col(x: np.ndarray, window: Window) -> np.ndarray:
    C, N, H, W = x.shape
    top, left = window.padding
    padded = np.pad(x, ((0, 0), (0, 0), (left, left), (top, top))).astype(np.float32)
    down, right = window.output(H, W)
    view = windows(padded, window, (down, right))
    return view.reshape(C * prod(window.kernel), -1)
