"""dict(kept) is a copy, and its arrays are copied with it."""
# loses: test-optimizer-state

# %% optimizer-state
#| export
def optimizer_state(optimizer):
    place = {parameter: i for i, parameter in enumerate(optimizer.parameters())}
    state = {place[parameter]: dict(kept) for parameter, kept in optimizer.state.items()}
    groups = [{**group, "params": [place[parameter] for parameter in group["params"]]} for group in optimizer.param_groups]
    return {"state": dict(sorted(state.items())), "param_groups": groups}
