"""After the rounds the sums are complete."""
# loses: test-add-rows

# %% add-rows
#| export
LONG = 16

def add_rows(g: np.ndarray, ids: np.ndarray, count: int, limit: int = LONG) -> np.ndarray:
    order, starts, lengths = segments(ids)
    sums = sum_rounds(g, order, starts, lengths, limit)
    for s in range(np.count_nonzero(lengths > limit)):
        rest = order[starts[s] + limit : starts[s] + lengths[s]]
        del rest
    table = np.zeros((count, g.shape[1]), dtype=np.float32)
    table[ids[order[starts]]] = sums
    return table
