"""The mean is over the examples, and the examples are the rows."""
# loses: test-mse-loss, test-module-losses

# %% mse-loss
#| export
@op
def mse_loss(prediction, target):
    target = check_target(target, prediction.shape)
    gap = prediction - target
    return (gap * gap).sum() / (len(gap) if gap.ndim else 1)
