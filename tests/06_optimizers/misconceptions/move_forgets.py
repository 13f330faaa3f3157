"""Every step begins with fresh zeros."""
# loses: test-move, test-optimizer-state, test-module-optimizers

# %% move
#| export
def move(optimizer, parameter, options):
    state = optimizer.state[parameter] = {"step": 0}
    for name in optimizer.buffers(options):
        if name not in state:
            state[name] = np.zeros_like(parameter.data)
    state["step"] += 1
    for p, g, piece in pieces(parameter.data, parameter.grad, state):
        if options["weight_decay"]:
            g = optimizer.decay(p, g, options)
        optimizer.update(p, g, piece, options)
