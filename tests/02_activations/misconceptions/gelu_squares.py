"""The second term of the bracket is a square."""
# loses: test-gelu, test-module-activations

# %% gelu
#| export
@op
def gelu(x):
    t = np.tanh(GELU_SCALE * (x + GELU_CUBE * (x * x)))
    return 0.5 * x * (1 + t), t
