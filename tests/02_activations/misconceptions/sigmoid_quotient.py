"""e^x / (1 + e^x) is the same thing and has no minus sign."""
# loses: test-sigmoid

# %% sigmoid
#| export
@op
def sigmoid(x):
    return np.exp(x) / (1 + np.exp(x))
