"""A 2 x 2 mean divides by 2."""
# loses: test-avg-pool, test-module-spatial

# %% avg-pool
#| export
def avg_pool_forward(view: np.ndarray) -> np.ndarray:
    total = view[:, 0, 0].copy()
    for i, j in list(np.ndindex(view.shape[1:3]))[1:]:
        total += view[:, i, j]
    return total / np.float32(view.shape[1])


def avg_pool_backward(g: np.ndarray, kernel: tuple[int, int]) -> np.ndarray:
    kh, kw = kernel
    share = g[:, None, None] / np.float32(kh * kw)
    return np.broadcast_to(share, (len(g), kh, kw, *g.shape[1:]))
