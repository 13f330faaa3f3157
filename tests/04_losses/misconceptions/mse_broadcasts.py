"""NumPy would complain if the shapes did not fit."""
# loses: test-mse-loss
# says: call check_target first

# %% mse-loss
#| export
@op
def mse_loss(prediction, target):
    return np.mean((prediction - target) ** 2)
