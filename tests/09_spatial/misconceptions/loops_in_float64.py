"""np.zeros makes float32 arrays."""
# loses: test-conv2d-loops

# %% conv2d-loops
def conv2d_loops(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int = 1, padding: int = 0) -> np.ndarray:
    N, C, H, W = x.shape
    out, _, k, _ = weight.shape
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    Ho, Wo = ((size + 2 * padding - k) // stride + 1 for size in (H, W))
    y = np.zeros((N, out, Ho, Wo))
    for n, o, h, w in np.ndindex(N, out, Ho, Wo):
        total = bias[o]
        for c, i, j in np.ndindex(C, k, k):
            total += padded[n, c, h * stride + i, w * stride + j] * weight[o, c, i, j]
        y[n, o, h, w] = total
    return y
