"""Where the answer is no, there is nothing to be surprised at."""
# loses: test-binary-cross-entropy, test-module-losses

# %% binary-cross-entropy
#| export
@op
def binary_cross_entropy(prediction, target):
    target = check_target(target, prediction.shape)
    check_probabilities(prediction)
    with np.errstate(divide="ignore"):
        return -(target * np.maximum(np.log(prediction), -100)).sum() / target.size
