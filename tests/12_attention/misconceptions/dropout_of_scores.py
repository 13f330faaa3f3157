"""Dropout falls on the scores."""
# loses: test-composed, test-multi-head

# %% composed
#| export
def composed_attention(
    query: Tensor, key: Tensor, value: Tensor, bias: Any = None, dropout_p: float = 0.0
) -> tuple[Tensor, Tensor]:
    weights = row_softmax(dropout(attention_scores(query, key), dropout_p), bias)  # (..., T, S)
    return weights @ value, weights  # (..., T, S) @ (..., S, e)
