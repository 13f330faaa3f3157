"""eta_min is added to the wave, so that the rate never falls below it."""
# loses: test-cosine-rate

# %% cosine-rate
#| export
def cosine_rate(base_lr, step, T_max, eta_min=0.0):
    wave = math.cos(math.pi * step / T_max)
    return eta_min + base_lr * (1 + wave) / 2
