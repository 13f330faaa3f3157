"""Tanh is another name of the S-shaped curve from 0 to 1."""
# loses: test-tanh

# %% tanh
#| export
@op
def tanh(x):
    return 1 / (1 + np.exp(np.minimum(-x, 87)))
