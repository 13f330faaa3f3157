"""Every piece that is updated is a step."""
# loses: test-move

# %% move
#| export
def move(optimizer, parameter, options):
    state = optimizer.state.setdefault(parameter, {"step": 0})
    for name in optimizer.buffers(options):
        if name not in state:
            state[name] = np.zeros_like(parameter.data)
    for p, g, piece in pieces(parameter.data, parameter.grad, state):
        state["step"] += 1
        piece["step"] = state["step"]
        if options["weight_decay"]:
            g = optimizer.decay(p, g, options)
        optimizer.update(p, g, piece, options)
