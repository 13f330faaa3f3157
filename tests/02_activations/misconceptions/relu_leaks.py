"""A little of the negative side has to get through, or the unit dies."""
# loses: test-relu, test-module-activations
# says: not a part

# %% relu
#| export
@op
def relu(x):
    return np.maximum(x, 0.01 * x)
