"""A cosine runs over 2 pi, so the schedule does too."""
# loses: test-cosine-rate

# %% cosine-rate
#| export
def cosine_rate(base_lr, step, T_max, eta_min=0.0):
    wave = math.cos(2 * math.pi * step / T_max)
    return eta_min + (base_lr - eta_min) * (1 + wave) / 2
