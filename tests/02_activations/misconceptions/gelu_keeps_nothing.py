"""An operation returns its result; what the derivative needs can be computed again."""
# loses: test-gelu

# %% gelu
#| export
@op
def gelu(x):
    t = np.tanh(GELU_SCALE * (x + GELU_CUBE * x * x * x))
    return 0.5 * x * (1 + t)
