"""A mean hands its gradient on like a sum."""
# loses: test-rules-reductions, test-module-autograd

# %% rules-reductions
#| export
@derivative(reduce_sum, "x")
def reduce_sum_x(g, input_shape, axis, keepdims):
    return np.broadcast_to(restore(g, input_shape, axis, keepdims), input_shape)

@derivative(reduce_mean, "x")
def reduce_mean_x(g, input_shape, axis, keepdims):
    return np.broadcast_to(restore(g, input_shape, axis, keepdims), input_shape)

@derivative(reduce_max, "x")
def reduce_max_x(g, x, out, axis, keepdims):
    winners = x == restore(np.asarray(out), x.shape, axis, keepdims)
    return winners * restore(np.asarray(g), x.shape, axis, keepdims) / winners.sum(axis=axis, keepdims=True, dtype=np.float32)
