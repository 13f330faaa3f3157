"""The first beta belongs to the square, which stands in the formula's denominator."""
# loses: test-adam

# %% adam
#| export
def adam_update(p, g, m, v, t, lr, betas, eps):
    beta2, beta1 = betas
    m *= beta1
    m += (1 - beta1) * g
    v *= beta2
    v += (1 - beta2) * (g * g)
    p -= lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
