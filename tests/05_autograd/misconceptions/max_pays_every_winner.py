"""Whoever reaches the maximum gets the whole gradient."""
# loses: test-rules-reductions

# %% rules-reductions
#| export
@derivative(reduce_sum, "x")
def reduce_sum_x(g, input_shape, axis, keepdims):
    return np.broadcast_to(restore(g, input_shape, axis, keepdims), input_shape)

@derivative(reduce_mean, "x")
def reduce_mean_x(g, input_shape, axis, keepdims):
    return np.broadcast_to(restore(g, input_shape, axis, keepdims), input_shape) / count_reduced(input_shape, axis)

@derivative(reduce_max, "x")
def reduce_max_x(g, x, out, axis, keepdims):
    return (x == restore(np.asarray(out), x.shape, axis, keepdims)) * restore(np.asarray(g), x.shape, axis, keepdims)
