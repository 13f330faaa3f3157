"""np.argsort(lengths) puts the longest first."""
# loses: test-add-rows, test-embedding-rule, test-module-embeddings, test-segments, test-tied-model

# %% segments
#| export
def sorting_order(ids: np.ndarray) -> np.ndarray:
    small = ids.astype(np.uint16) if ids.max(initial=0) < 1 << 16 else ids
    return np.argsort(small, kind="stable")

def segments(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    order = sorting_order(ids)
    starts = np.flatnonzero(np.diff(ids[order], prepend=-1))
    lengths = np.diff(starts, append=len(ids))
    longest = np.argsort(lengths)
    return order, starts[longest], lengths[longest]
