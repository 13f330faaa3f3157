"""Pulling x out of the logarithm once is enough."""
# loses: test-binary-cross-entropy-with-logits

# %% binary-cross-entropy-with-logits
#| export
@op
def binary_cross_entropy_with_logits(logits, target):
    target = check_target(target, logits.shape)
    with np.errstate(all="ignore"):
        return (logits - logits * target + np.log1p(np.exp(-logits))).mean()
