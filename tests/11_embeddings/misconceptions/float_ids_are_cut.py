"""A float id stands for the whole number in it, so it is cut to one."""
# loses: test-embedding

# %% embedding
#| export
@op
def embedding(ids, weight, padding_idx=None):
    if weight.ndim != 2:
        raise ShapeError(f"embedding: weight of shape {weight.shape} is not (V, C).")
    check_table("embedding", weight.shape, padding_idx)
    ids = check_ids(np.asarray(ids).astype(int), len(weight))
    return weight.take(ids, axis=0), ids
