"""To load is to put new arrays in the place of the old ones."""
# loses: test-load-state-dict

# %% load-state-dict
#| export
def load_state_dict(module, state, strict=True):
    given = {path: as_array(numbers) for path, numbers in state.items()}
    check_state(state_arrays(module), given, strict)
    for path, parameter in module.named_parameters():
        if path in given:
            parameter.data = given[path]
    for path, part in module.named_modules():
        for name in part._buffers:
            key = f"{path}.{name}" if path else name
            if key in given:
                setattr(part, name, given[key])
