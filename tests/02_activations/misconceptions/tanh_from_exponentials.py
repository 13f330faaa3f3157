"""A definition is a program: type in the quotient of exponentials."""
# loses: test-tanh

# %% tanh
#| export
@op
def tanh(x):
    up, down = np.exp(x), np.exp(-x)
    return (up - down) / (up + down)
