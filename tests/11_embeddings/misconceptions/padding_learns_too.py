"""A padding row gets a gradient like every other row."""
# loses: test-embedding-rule, test-module-embeddings

# %% embedding-rule
#| export
@derivative(embedding, "weight")
def embedding_weight(g, input_shape, saved, padding_idx):
    count, C = input_shape
    grad = add_rows(g.reshape(saved.size, C), saved.reshape(-1), count)
    return grad
