"""An id may be any place that NumPy accepts, also one that counts from the end."""
# loses: test-embedding

# %% embedding
#| export
@op
def embedding(ids, weight, padding_idx=None):
    if weight.ndim != 2:
        raise ShapeError(f"embedding: weight of shape {weight.shape} is not (V, C).")
    check_table("embedding", weight.shape, padding_idx)
    ids = np.asarray(ids)
    return weight.take(ids, axis=0), ids
