"""The running means find their size by themselves; a correction is a refinement."""
# loses: test-adam

# %% adam
#| export
class Adam(Optimizer):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    def buffers(self, options):
        return ("exp_avg", "exp_avg_sq")

    def update(self, p, g, state, options):
        beta1, beta2 = options["betas"]
        m, v, t = state["exp_avg"], state["exp_avg_sq"], state["step"]
        m += (1 - beta1) * (g - m)
        v += (1 - beta2) * (g * g - v)
        p -= options["lr"] * m / (np.sqrt(v) + options["eps"])
