"""np.pad and np.zeros make float32 arrays."""
# loses: test-im2col

# %% im2col
#| export
def im2col(x: np.ndarray, window: Window) -> np.ndarray:
    C, N, H, W = x.shape
    top, left = window.padding
    padded = np.zeros((C, N, H + 2 * top, W + 2 * left))
    padded[:, :, top : top + H, left : left + W] = x
    view = windows(padded, window, window.output(H, W))
    return view.reshape(prod(view.shape[:3]), prod(view.shape[3:]))
