"""An einsum is a loop, too."""
# loses: test-conv2d-loops

# %% conv2d-loops
def conv2d_loops(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int = 1, padding: int = 0) -> np.ndarray:
    N, C, H, W = x.shape
    out, _, k, _ = weight.shape
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    view = np.lib.stride_tricks.sliding_window_view(padded, (k, k), axis=(2, 3))[:, :, ::stride, ::stride]
    y = np.einsum("nchwij,ocij->nohw", view, weight) + bias[:, None, None]
    return y.astype(np.float32)
