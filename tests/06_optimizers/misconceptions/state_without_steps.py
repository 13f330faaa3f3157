"""What is remembered are the arrays; the steps are counted anew."""
# loses: test-optimizer-state, test-module-optimizers

# %% optimizer-state
#| export
def optimizer_state(optimizer):
    place = {parameter: i for i, parameter in enumerate(optimizer.parameters())}
    state = {place[parameter]: {"step": 0, **{name: np.array(value) for name, value in kept.items() if name != "step"}} for parameter, kept in optimizer.state.items()}
    groups = [{**group, "params": [place[parameter] for parameter in group["params"]]} for group in optimizer.param_groups]
    return {"state": dict(sorted(state.items())), "param_groups": groups}
