"""A list is exchanged by a new list."""
# loses: test-exchanged

# %% exchanged
#| export
def exchanged(value: Any, twins: dict[int, Any]) -> Any:
    if id(value) in twins:
        return twins[id(value)]
    if isinstance(value, list):
        return [exchanged(item, twins) for item in value]
    if isinstance(value, dict) and twins:
        return {key: exchanged(item, twins) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(exchanged(item, twins) for item in value)
    return value
