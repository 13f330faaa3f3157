"""A pixel wins at most one window."""
# loses: test-max-pool-backward, test-module-spatial

# %% max-pool-backward
#| export
def max_pool_backward(g: np.ndarray, first: np.ndarray, offsets: np.ndarray, winner: np.ndarray, size: int) -> np.ndarray:
    positions = offsets.take(winner.reshape(-1))
    positions += first.reshape(-1)
    dx = np.zeros(size, np.float32)
    dx[positions] = g.reshape(-1)
    return dx
