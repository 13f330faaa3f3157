"""One optimizer has one velocity, which I keep on the optimizer itself."""
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
            self.velocity = momentum * getattr(self, "velocity", 0) + g
            direction = g + momentum * self.velocity if options["nesterov"] else self.velocity
        p -= options["lr"] * direction
