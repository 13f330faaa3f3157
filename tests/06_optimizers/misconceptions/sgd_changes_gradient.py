"""The gradient is used up by the step, so it may hold lr * g."""
# loses: test-sgd

# %% sgd
#| export
def sgd_update(p, g, lr):
    g *= lr
    p -= g
