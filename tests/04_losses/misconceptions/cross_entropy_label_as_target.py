"""The labels are what the prediction is multiplied with, as in the formula with t."""
# loses: test-cross-entropy, test-module-losses

# %% cross-entropy
#| export
def cross_entropy_arrays(scores, labels):
    shifted = scores - scores.max(axis=1, keepdims=True)
    e = np.exp(shifted)
    p = e / e.sum(axis=1, keepdims=True)
    return -(labels[:, None] * np.log(p)).mean(), p
