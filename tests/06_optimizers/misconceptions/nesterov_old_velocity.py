"""Nesterov adds the velocity of the last step, before the new gradient goes into it."""
# loses: test-momentum

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
            direction = g + momentum * velocity
            velocity *= momentum
            velocity += g
            if not options["nesterov"]:
                direction = velocity
        p -= options["lr"] * direction
