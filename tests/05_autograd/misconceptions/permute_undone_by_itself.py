"""The same permutation a second time brings the axes back."""
# loses: test-rules-movers

# %% rules-movers
#| export
@derivative(clip, "x")
def clip_x(g, x, low, high):
    return g * ((x >= (-np.inf if low is None else low)) & (x <= (np.inf if high is None else high)))

@derivative(permute, "x")
def permute_x(g, axes):
    return g.transpose(axes)

@derivative(index, "x")
def index_x(g, input_shape, key):
    grad = np.zeros(input_shape, np.float32)
    np.add.at(grad, key, g)
    return grad
