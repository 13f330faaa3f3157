"""Setting the negative entries of x to 0 saves an array."""
# loses: test-relu

# %% relu
#| export
@op
def relu(x):
    x[x < 0] = 0
    return x
