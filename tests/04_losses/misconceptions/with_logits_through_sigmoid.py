"""With logits means: sigmoid first, then the formula for probabilities."""
# loses: test-binary-cross-entropy-with-logits

# %% binary-cross-entropy-with-logits
#| export
@op
def binary_cross_entropy_with_logits(logits, target):
    target = check_target(target, logits.shape)
    with np.errstate(all="ignore"):
        p = 1 / (1 + np.exp(-logits))
        return -(target * np.log(p) + (1 - target) * np.log(1 - p)).mean()
