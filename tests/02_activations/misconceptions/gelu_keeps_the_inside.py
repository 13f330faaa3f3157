"""What is kept is what the tanh was taken of."""
# loses: test-gelu

# %% gelu
#| export
@op
def gelu(x):
    inside = GELU_SCALE * (x + GELU_CUBE * x * x * x)
    return 0.5 * x * (1 + np.tanh(inside)), inside
