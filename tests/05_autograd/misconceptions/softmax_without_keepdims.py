"""The sum along the axis can be subtracted as it comes."""
# loses: test-rules-softmax

# %% rules-softmax
#| export
@derivative(softmax, "x")
def softmax_x(g, out, axis):
    return out * (g - (g * out).sum(axis=axis))

@derivative(log_softmax, "x")
def log_softmax_x(g, out, axis):
    return g - np.exp(out) * g.sum(axis=axis)
