"""Dropout falls on the answers."""
# loses: test-composed

# %% composed
#| export
def composed_attention(
    query: Tensor, key: Tensor, value: Tensor, bias: Any = None, dropout_p: float = 0.0
) -> tuple[Tensor, Tensor]:
    weights = row_softmax(attention_scores(query, key), bias)  # (..., T, S)
    return dropout(weights @ value, dropout_p), weights  # (..., T, S) @ (..., S, e)
