"""The first layer comes first, so its weight stands on the left."""
# loses: test-merge-layers

# %% merge-layers
def merge_layers(w1, b1, w2, b2):
    return w1 @ w2, w2 @ b1 + b2
