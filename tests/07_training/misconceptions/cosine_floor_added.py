"""eta_min is added to the wave, so that the rate never falls below it."""
# loses: test-cosine-lr

# %% cosine-lr
#| export
class CosineAnnealingLR(LRScheduler):
    def __init__(self, optimizer, T_max, eta_min=0.0):
        self.T_max, self.eta_min = whole_steps("T_max", T_max), eta_min
        super().__init__(optimizer)

    def rate(self, base_lr, step):
        wave = math.cos(math.pi * step / self.T_max)
        return self.eta_min + base_lr * (1 + wave) / 2
