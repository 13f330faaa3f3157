"""Making a number non-negative means dropping its sign."""
# loses: test-relu, test-module-activations

# %% relu
#| export
@op
def relu(x):
    return np.abs(x)
