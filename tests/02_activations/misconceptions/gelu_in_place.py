"""Working in place means beginning with x itself."""
# loses: test-gelu

# %% gelu
#| export
@op
def gelu(x):
    t = np.tanh(GELU_SCALE * (x + GELU_CUBE * x * x * x))
    x *= 0.5
    x *= 1 + t
    return x, t
