"""The gradient of the table has a row for each id of the batch."""
# loses: test-embedding-rule, test-module-embeddings, test-tied-model

# %% embedding-rule
#| export
@derivative(embedding, "weight")
def embedding_weight(g, input_shape, saved, padding_idx):
    count, C = input_shape
    grad = g.reshape(saved.size, C).copy()
    if padding_idx is not None:
        grad[padding_idx] = 0
    return grad
