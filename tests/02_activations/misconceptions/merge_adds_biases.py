"""The weights multiply and the biases add up."""
# loses: test-merge-layers

# %% merge-layers
def merge_layers(w1, b1, w2, b2):
    return w2 @ w1, b1 + b2
