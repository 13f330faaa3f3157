"""Who may look nowhere looks everywhere alike."""
# loses: test-row-softmax, test-module-attention

# %% row-softmax
#| export
@op
def row_softmax(scores, bias=None):
    if bias is not None:
        scores = scores + bias
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True, initial=LOWEST))  # (..., T, S)
    total = weights.sum(axis=-1, keepdims=True)  # (..., T, 1)
    total[total == 0] = 1
    weights /= total
    weights[(total == 1)[..., 0] & (weights.sum(axis=-1) == 0)] = 1 / max(scores.shape[-1], 1)
    return weights
