"""A tuple cannot be changed, so what is in it stays."""
# loses: test-exchanged

# %% exchanged
#| export
def exchanged(value: Any, twins: dict[int, Any]) -> Any:
    if id(value) in twins:
        return twins[id(value)]
    if isinstance(value, list):
        value[:] = [exchanged(item, twins) for item in value]
    elif isinstance(value, dict):
        value.update({key: exchanged(item, twins) for key, item in value.items()})
    return value
