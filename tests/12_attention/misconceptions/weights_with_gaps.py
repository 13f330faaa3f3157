"""The weights that are returned are those after dropout."""
# loses: test-composed

# %% composed
#| export
def composed_attention(
    query: Tensor, key: Tensor, value: Tensor, bias: Any = None, dropout_p: float = 0.0
) -> tuple[Tensor, Tensor]:
    weights = row_softmax(attention_scores(query, key), bias)  # (..., T, S)
    weights = dropout(weights, dropout_p)
    return weights @ value, weights  # (..., T, S) @ (..., S, e)
