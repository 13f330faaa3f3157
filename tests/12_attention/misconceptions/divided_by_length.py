"""Scores are divided by the length of a query, d."""
# loses: test-attention-scores, test-composed, test-attention-gradients, test-multi-head, test-module-attention

# %% attention-scores
#| export
def attention_scores(query: Tensor, key: Tensor) -> Tensor:
    d = query.shape[-1]
    return (query * (1 / d)) @ key.transpose(-2, -1)  # (..., T, d) @ (..., d, S)
