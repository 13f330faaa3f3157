"""x sigmoid(1.702 x) is GELU; the other formula is the same with more letters."""
# loses: test-gelu, test-module-activations

# %% gelu
#| export
@op
def gelu(x):
    y = x / (1 + np.exp(np.minimum(-1.702 * x, 87)))
    return y, np.tanh(GELU_SCALE * (x + GELU_CUBE * x * x * x))
