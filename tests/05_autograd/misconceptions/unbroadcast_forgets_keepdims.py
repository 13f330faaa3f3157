"""Summing over the stretched axes is enough; the shape takes care of itself."""
# loses: test-unbroadcast, test-backward, test-module-autograd

# %% unbroadcast
#| export
def unbroadcast(grad, shape):
    missing = grad.ndim - len(shape)
    stretched = tuple(missing + i for i, n in enumerate(shape) if n == 1 and grad.shape[missing + i] != 1)
    return grad.sum(axis=tuple(range(missing)) + stretched)
