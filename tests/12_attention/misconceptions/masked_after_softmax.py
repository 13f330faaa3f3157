"""A mask sets weights to zero after the softmax."""
# loses: test-row-softmax, test-composed, test-multi-head

# %% row-softmax
#| export
@op
def row_softmax(scores, bias=None):
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True, initial=LOWEST))  # (..., T, S)
    total = weights.sum(axis=-1, keepdims=True)  # (..., T, 1)
    total[total == 0] = 1
    weights /= total
    return weights if bias is None else weights * np.exp(bias)
