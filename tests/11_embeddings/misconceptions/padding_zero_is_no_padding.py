"""if padding_idx: asks whether there is a padding index."""
# loses: test-embedding-rule

# %% embedding-rule
#| export
@derivative(embedding, "weight")
def embedding_weight(g, input_shape, saved, padding_idx):
    count, C = input_shape
    grad = add_rows(g.reshape(saved.size, C), saved.reshape(-1), count)
    if padding_idx:
        grad[padding_idx] = 0
    return grad
