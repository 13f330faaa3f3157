"""The velocity points downhill, so it collects -g; then I subtract it as plain SGD does."""
# loses: test-momentum, test-move, test-optimizer-state, test-module-optimizers

# %% momentum
#| export
def momentum_update(p, g, v, lr, momentum, nesterov=False):
    v *= momentum
    v -= g
    p -= lr * (g + momentum * v if nesterov else v)
