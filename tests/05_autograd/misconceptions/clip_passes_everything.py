"""A number that was cut to a bound still moves with its input."""
# loses: test-rules-movers

# %% rules-movers
#| export
@derivative(clip, "x")
def clip_x(g, x, low, high):
    return g

@derivative(permute, "x")
def permute_x(g, axes):
    return g.transpose(np.argsort([axis % g.ndim for axis in axes]))

@derivative(index, "x")
def index_x(g, input_shape, key):
    grad = np.zeros(input_shape, np.float32)
    np.add.at(grad, key, g)
    return grad
