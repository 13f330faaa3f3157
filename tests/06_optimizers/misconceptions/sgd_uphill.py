"""The gradient says where to go, so I add it."""
# loses: test-sgd, test-train-step

# %% sgd
#| export
def sgd_update(p, g, lr):
    p += lr * g
