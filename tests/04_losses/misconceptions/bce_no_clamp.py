"""0 times anything is 0, so the formula needs no help."""
# loses: test-binary-cross-entropy

# %% binary-cross-entropy
#| export
@op
def binary_cross_entropy(prediction, target):
    target = check_target(target, prediction.shape)
    check_probabilities(prediction)
    with np.errstate(all="ignore"):
        return -(target * np.log(prediction) + (1 - target) * np.log(1 - prediction)).mean()
