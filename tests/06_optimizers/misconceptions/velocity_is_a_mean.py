"""A velocity is a running mean, so the new gradient counts with 1 - momentum."""
# loses: test-momentum, test-module-optimizers

# %% sgd
#| export
class SGD(Optimizer):
    def __init__(self, params, lr=1e-3, *, momentum=0.0, weight_decay=0.0, nesterov=False):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "nesterov": nesterov})

    def buffers(self, options):
        return ("momentum_buffer",) if options["momentum"] else ()

    def update(self, p, g, state, options):
        direction, momentum = g, options["momentum"]
        if momentum:
            velocity = state["momentum_buffer"]
            velocity += (1 - momentum) * (g - velocity)
            direction = g + momentum * velocity if options["nesterov"] else velocity
        p -= options["lr"] * direction
