"""alpha is the weight of the new gradient."""
# loses: test-rmsprop

# %% rmsprop
#| export
def rmsprop_update(p, g, s, lr, alpha, eps):
    s *= 1 - alpha
    s += alpha * (g * g)
    p -= lr * g / (np.sqrt(s) + eps)
