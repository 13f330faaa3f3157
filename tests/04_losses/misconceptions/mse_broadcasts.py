"""NumPy would complain if the shapes did not fit."""
# loses: test-mse-loss

# %% mse-loss
#| export
@op
def mse_loss(prediction, target):
    return np.mean((prediction - target) ** 2)
