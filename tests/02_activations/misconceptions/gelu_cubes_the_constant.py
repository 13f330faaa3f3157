"""0.044715 x^3 is the cube of 0.044715 x."""
# loses: test-gelu, test-module-activations

# %% gelu
#| export
@op
def gelu(x):
    scaled = GELU_CUBE * x
    t = np.tanh(GELU_SCALE * (x + scaled * scaled * scaled))
    return 0.5 * x * (1 + t), t
