"""Beyond 10 a sigmoid is flat anyway, so the input may be clipped there."""
# loses: test-sigmoid, test-module-activations

# %% sigmoid
#| export
@op
def sigmoid(x):
    return 1 / (1 + np.exp(-np.clip(x, -10, 10)))
