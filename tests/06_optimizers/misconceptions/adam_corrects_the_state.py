"""The corrected means are the better ones, so they are kept."""
# loses: test-adam

# %% adam
#| export
def adam_update(p, g, m, v, t, lr, betas, eps):
    beta1, beta2 = betas
    m *= beta1
    m += (1 - beta1) * g
    v *= beta2
    v += (1 - beta2) * (g * g)
    m /= 1 - beta1**t
    v /= 1 - beta2**t
    p -= lr * m / (np.sqrt(v) + eps)
