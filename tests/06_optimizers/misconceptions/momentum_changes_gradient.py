"""Nesterov's direction can live in the gradient: g is an array like any other."""
# loses: test-momentum

# %% momentum
#| export
def momentum_update(p, g, v, lr, momentum, nesterov=False):
    v *= momentum
    v += g
    if nesterov:
        g += momentum * v
    p -= lr * (g if nesterov else v)
