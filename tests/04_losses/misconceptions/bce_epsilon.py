"""A small epsilon keeps the logarithm away from zero."""
# loses: test-binary-cross-entropy

# %% binary-cross-entropy
#| export
@op
def binary_cross_entropy(prediction, target):
    target = check_target(target, prediction.shape)
    check_probabilities(prediction)
    p = np.clip(prediction, 1e-7, 1 - 1e-7)
    return -(target * np.log(p) + (1 - target) * np.log(1 - p)).mean()
