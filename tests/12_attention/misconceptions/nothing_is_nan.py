"""A row that may look nowhere needs no care."""
# loses: test-row-softmax, test-module-attention

# %% row-softmax
#| export
@op
def row_softmax(scores, bias=None):
    if bias is not None:
        scores = scores + bias
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True, initial=-np.inf))  # (..., T, S)
    total = weights.sum(axis=-1, keepdims=True)  # (..., T, 1)
    weights /= total
    return weights
