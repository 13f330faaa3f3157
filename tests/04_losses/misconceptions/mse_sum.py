"""A loss adds up all the errors."""
# loses: test-mse-loss, test-module-losses

# %% mse-loss
#| export
@op
def mse_loss(prediction, target):
    target = check_target(target, prediction.shape)
    return ((prediction - target) ** 2).sum()
