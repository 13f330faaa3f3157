"""Each image has columns of its own, so the images stand below each other, before the channels."""
# loses: test-im2col, test-conv2d-forward, test-conv2d-backward, test-module-spatial

# %% im2col
#| export
def im2col(x: np.ndarray, window: Window) -> np.ndarray:
    C, N, H, W = x.shape
    top, left = window.padding
    padded = np.pad(x, ((0, 0), (0, 0), (top, top), (left, left))).astype(np.float32)
    view = windows(padded, window, window.output(H, W))
    view = view.transpose(0, 1, 2, 4, 5, 3)
    return view.reshape(C * prod(window.kernel), -1)
