"""There is a 1/2 in front, so that the derivative is nice."""
# loses: test-mse-loss, test-module-losses

# %% mse-loss
#| export
@op
def mse_loss(prediction, target):
    target = check_target(target, prediction.shape)
    gap = prediction - target
    return 0.5 * (gap * gap).sum() / gap.size
