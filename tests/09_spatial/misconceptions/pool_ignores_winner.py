"""The first pixel of each window stands for all."""
# loses: test-max-pool-backward, test-module-spatial

# %% max-pool-backward
#| export
def max_pool_backward(g: np.ndarray, first: np.ndarray, offsets: np.ndarray, winner: np.ndarray, size: int) -> np.ndarray:
    positions = np.zeros(winner.size, int)
    positions += first.reshape(-1)
    dx = np.zeros(size, np.float32)
    np.add.at(dx, positions, g.reshape(-1))
    return dx
