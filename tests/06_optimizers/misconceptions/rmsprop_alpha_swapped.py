"""alpha is the weight of the new gradient."""
# loses: test-rmsprop

# %% rmsprop
#| export
class RMSprop(Optimizer):
    def __init__(self, params, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay})

    def buffers(self, options):
        return ("square_avg",)

    def update(self, p, g, state, options):
        s = state["square_avg"]
        s += options["alpha"] * (g * g - s)
        p -= options["lr"] * g / (np.sqrt(s) + options["eps"])
