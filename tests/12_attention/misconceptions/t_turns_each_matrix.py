"""`.T` turns each matrix of a batch."""
# loses: test-attention-scores, test-multi-head, test-module-attention

# %% attention-scores
#| export
def attention_scores(query: Tensor, key: Tensor) -> Tensor:
    d = query.shape[-1]
    return (query * (1 / sqrt(d))) @ key.T  # (..., T, d) @ (..., d, S)
