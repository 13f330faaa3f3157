"""np.sqrt of a number is a number like any other."""
# loses: test-gelu

# %% gelu
#| export
@op
def gelu(x):
    t = np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x * x * x))
    return 0.5 * x * (1 + t), t
