"""Nesterov adds the velocity of the last step, before the new gradient goes into it."""
# loses: test-momentum

# %% momentum
#| export
def momentum_update(p, g, v, lr, momentum, nesterov=False):
    direction = g + momentum * v
    v *= momentum
    v += g
    p -= lr * (direction if nesterov else v)
