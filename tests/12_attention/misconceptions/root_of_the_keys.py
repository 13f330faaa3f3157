"""The root is that of the number of keys."""
# loses: test-attention-scores, test-composed, test-attention-gradients, test-multi-head, test-module-attention

# %% attention-scores
#| export
def attention_scores(query: Tensor, key: Tensor) -> Tensor:
    d = key.shape[-2]
    return (query * (1 / sqrt(d))) @ key.transpose(-2, -1)  # (..., T, d) @ (..., d, S)
