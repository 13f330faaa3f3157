"""decay changes what it is given, so its result is not needed."""
# loses: test-move

# %% move
#| export
def move(optimizer, parameter, options):
    state = optimizer.state.setdefault(parameter, {"step": 0})
    for name in optimizer.buffers(options):
        if name not in state:
            state[name] = np.zeros_like(parameter.data)
    state["step"] += 1
    for p, g, piece in pieces(parameter.data, parameter.grad, state):
        if options["weight_decay"]:
            optimizer.decay(p, g, options)
        optimizer.update(p, g, piece, options)
