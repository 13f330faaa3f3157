"""table[ids] += g adds every row, also where an id is repeated."""
# loses: test-add-rows-loop

# %% add-rows-loop
def add_rows_loop(g: np.ndarray, ids: np.ndarray, count: int) -> np.ndarray:
    table = np.zeros((count, g.shape[1]), dtype=np.float32)
    table[ids] += g
    return table
