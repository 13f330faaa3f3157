"""The slope of a sigmoid is computed from its value, so apply the sigmoid first."""
# loses: test-rules-activations, test-module-autograd

# %% rules-activations
#| export
@derivative(relu, "x")
def relu_x(g, out):
    return g * (out > 0)

@derivative(sigmoid, "x")
def sigmoid_x(g, out):
    s = 1 / (1 + np.exp(-out))
    return g * s * (1 - s)

@derivative(tanh, "x")
def tanh_x(g, out):
    return g * (1 - out**2)
