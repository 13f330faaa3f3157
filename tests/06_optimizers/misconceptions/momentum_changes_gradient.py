"""The velocity can live in the gradient: g is an array like any other."""
# loses: test-sgd

# %% sgd
#| export
class SGD(Optimizer):
    def __init__(self, params, lr=1e-3, *, momentum=0.0, weight_decay=0.0, nesterov=False):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "nesterov": nesterov})

    def buffers(self, options):
        return ("momentum_buffer",) if options["momentum"] else ()

    def update(self, p, g, state, options):
        momentum = options["momentum"]
        direction = g
        if momentum:
            velocity = state["momentum_buffer"]
            velocity *= momentum
            velocity += g
            direction = g + momentum * velocity if options["nesterov"] else velocity.copy()
        direction *= options["lr"]
        p -= direction
