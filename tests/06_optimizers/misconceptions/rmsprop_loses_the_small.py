"""s + (1 - alpha) * (g * g - s) is the same formula, and shorter."""
# loses: test-rmsprop

# %% rmsprop
#| export
def rmsprop_update(p, g, s, lr, alpha, eps):
    s += (1 - alpha) * (g * g - s)
    p -= lr * g / (np.sqrt(s) + eps)
