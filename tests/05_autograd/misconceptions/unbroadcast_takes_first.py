"""Every stretched copy is the same number, so the gradient of one of them will do."""
# loses: test-unbroadcast, test-backward, test-module-autograd

# %% unbroadcast
#| export
def unbroadcast(grad, shape):
    grad = grad.reshape(grad.shape[grad.ndim - len(shape) :]) if grad.ndim == len(shape) else grad[(0,) * (grad.ndim - len(shape))]
    return grad[tuple(slice(0, n) for n in shape)]
