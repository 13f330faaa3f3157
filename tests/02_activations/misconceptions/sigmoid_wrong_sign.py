"""The exponent is x: larger x, larger result."""
# loses: test-sigmoid, test-module-activations

# %% sigmoid
#| export
@op
def sigmoid(x):
    return 1 / (1 + np.exp(np.minimum(x, 87)))
