"""The mean is over the examples, and the examples are the rows."""
# loses: test-mse-loss, test-module-losses
# says: divide by all 60 elements

# %% mse-loss
#| export
@op
def mse_loss(prediction, target):
    target = check_target(target, prediction.shape)
    gap = prediction - target
    return (gap * gap).sum() / (len(gap) if gap.ndim else 1)
