"""Every exercise solved in another way."""

# %% sgd
#| export
class SGD(Optimizer):
    def __init__(self, params, lr=1e-3, *, momentum=0.0, weight_decay=0.0, nesterov=False):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "nesterov": nesterov})

    def buffers(self, options):
        return ("momentum_buffer",) if options["momentum"] else ()

    def update(self, p, g, state, options):
        if not options["momentum"]:
            np.subtract(p, options["lr"] * g, out=p)
            return
        v = options["momentum"] * state["momentum_buffer"] + g
        state["momentum_buffer"][...] = v
        p[...] = p - options["lr"] * (options["momentum"] * v + g if options["nesterov"] else v)

# %% train-step
def train_step(optimizer, function, *inputs):
    value = function(*inputs)
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
    return float(value)

# %% rmsprop
#| export
class RMSprop(Optimizer):
    def __init__(self, params, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay})

    def buffers(self, options):
        return ("square_avg",)

    def update(self, p, g, state, options):
        state["square_avg"][...] = options["alpha"] * state["square_avg"] + (1 - options["alpha"]) * g**2
        p[...] = p - options["lr"] * g / (state["square_avg"] ** 0.5 + options["eps"])

# %% adam
#| export
class Adam(Optimizer):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    def buffers(self, options):
        return ("exp_avg", "exp_avg_sq")

    def update(self, p, g, state, options):
        state["exp_avg"][...] = options["betas"][0] * state["exp_avg"] + (1 - options["betas"][0]) * g
        state["exp_avg_sq"][...] = options["betas"][1] * state["exp_avg_sq"] + (1 - options["betas"][1]) * g**2
        m_hat = state["exp_avg"] / (1 - options["betas"][0] ** state["step"])
        v_hat = state["exp_avg_sq"] / (1 - options["betas"][1] ** state["step"])
        p -= options["lr"] * m_hat / (np.sqrt(v_hat) + options["eps"])

# %% adamw
#| export
class AdamW(Adam):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
        super().__init__(params, lr, betas, eps, weight_decay)

    def decay(self, p, g, options):
        p -= options["lr"] * options["weight_decay"] * p
        return g
