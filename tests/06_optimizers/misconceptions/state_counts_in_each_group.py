"""Positions begin at 0 in each group."""
# loses: test-optimizer-state, test-module-optimizers

# %% optimizer-state
#| export
def optimizer_state(optimizer):
    place = {parameter: i for i, parameter in enumerate(optimizer.parameters())}
    state = {place[parameter]: {name: np.array(value) if isinstance(value, np.ndarray) else value for name, value in kept.items()} for parameter, kept in optimizer.state.items()}
    groups = [{**group, "params": list(range(len(group["params"])))} for group in optimizer.param_groups]
    return {"state": dict(sorted(state.items())), "param_groups": groups}
