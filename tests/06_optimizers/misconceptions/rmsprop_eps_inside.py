"""eps prevents a division by zero; whether it stands inside the root or outside is a matter of taste."""
# loses: test-rmsprop

# %% rmsprop
#| export
def rmsprop_update(p, g, s, lr, alpha, eps):
    s *= alpha
    s += (1 - alpha) * (g * g)
    p -= lr * g / np.sqrt(s + eps)
