"""Softmax is a sigmoid for several classes, so its slope is s (1 - s)."""
# loses: test-rules-softmax, test-module-autograd

# %% rules-softmax
#| export
@derivative(softmax, "x")
def softmax_x(g, out, axis):
    return g * out * (1 - out)

@derivative(log_softmax, "x")
def log_softmax_x(g, out, axis):
    return g * (1 - np.exp(out))
