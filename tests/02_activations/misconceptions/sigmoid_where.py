"""np.where only computes the branch that it picks, so two formulas make it safe."""
# loses: test-sigmoid

# %% sigmoid
#| export
@op
def sigmoid(x):
    return np.where(x >= 0, 1 / (1 + np.exp(-x)), np.exp(x) / (1 + np.exp(x)))
