"""A velocity is a running mean, so the new gradient counts with 1 - momentum."""
# loses: test-momentum, test-move, test-optimizer-state, test-module-optimizers

# %% momentum
#| export
def momentum_update(p, g, v, lr, momentum, nesterov=False):
    v *= momentum
    v += (1 - momentum) * g
    p -= lr * (g + momentum * v if nesterov else v)
