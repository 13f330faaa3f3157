"""1 / inf is 0, so the formula of the book needs no care."""
# loses: test-sigmoid

# %% sigmoid
#| export
@op
def sigmoid(x):
    return 1 / (1 + np.exp(-x))
