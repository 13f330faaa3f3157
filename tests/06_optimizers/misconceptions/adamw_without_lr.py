"""A weight decay of 0.1 takes a tenth off the weight."""
# loses: test-adamw

# %% adamw
#| export
class AdamW(Adam):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
        super().__init__(params, lr, betas, eps, weight_decay)

    def decay(self, p, g, options):
        p *= 1 - options["weight_decay"]
        return g
