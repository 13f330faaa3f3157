"""The sum of a long segment takes all its rows, also those that the rounds have added."""
# loses: test-add-rows

# %% add-rows
#| export
LONG = 16

def add_rows(g: np.ndarray, ids: np.ndarray, count: int, limit: int = LONG) -> np.ndarray:
    order, starts, lengths = segments(ids)
    sums = sum_rounds(g, order, starts, lengths, limit)
    for s in range(np.count_nonzero(lengths > limit)):
        rest = order[starts[s] : starts[s] + lengths[s]]
        sums[s] += g.take(rest, axis=0).sum(axis=0)
    table = np.zeros((count, g.shape[1]), dtype=np.float32)
    table[ids[order[starts]]] = sums
    return table
