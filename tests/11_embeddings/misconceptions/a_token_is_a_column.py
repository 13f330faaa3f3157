"""A token owns a column of the table."""
# loses: test-embedding, test-embedding-layer, test-embedding-rule, test-module-embeddings, test-tied-model

# %% embedding
#| export
@op
def embedding(ids, weight, padding_idx=None):
    if weight.ndim != 2:
        raise ShapeError(f"embedding: weight of shape {weight.shape} is not (V, C).")
    check_table("embedding", weight.shape, padding_idx)
    ids = check_ids(ids, len(weight))
    return weight.take(ids, axis=1), ids
