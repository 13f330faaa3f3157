"""p = p - lr * g gives the parameter its new value."""
# loses: test-sgd, test-train-step

# %% sgd
#| export
def sgd_update(p, g, lr):
    p = p - lr * g
