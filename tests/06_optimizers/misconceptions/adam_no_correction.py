"""The running means find their size by themselves; a correction is a refinement."""
# loses: test-adam

# %% adam
#| export
def adam_update(p, g, m, v, t, lr, betas, eps):
    beta1, beta2 = betas
    m *= beta1
    m += (1 - beta1) * g
    v *= beta2
    v += (1 - beta2) * (g * g)
    p -= lr * m / (np.sqrt(v) + eps)
