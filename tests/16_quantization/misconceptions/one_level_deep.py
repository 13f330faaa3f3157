"""Containers hold layers, and no further containers."""
# loses: test-exchanged

# %% exchanged
#| export
def exchanged(value: Any, twins: dict[int, Any]) -> Any:
    if id(value) in twins:
        return twins[id(value)]
    if isinstance(value, list):
        value[:] = [twins.get(id(item), item) for item in value]
    elif isinstance(value, dict):
        value.update({key: twins.get(id(item), item) for key, item in value.items()})
    elif isinstance(value, tuple):
        return tuple(twins.get(id(item), item) for item in value)
    return value
