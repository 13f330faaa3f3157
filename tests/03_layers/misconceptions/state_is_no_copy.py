"""A state is a view of the model, so it shows the numbers as they are now."""
# loses: test-state-dict

# %% state-dict
#| export
def state_arrays(module):
    arrays = {path: parameter.data for path, parameter in module.named_parameters()}
    for path, part in module.named_modules():
        for name in part._buffers:
            arrays[f"{path}.{name}" if path else name] = getattr(part, name)
    return arrays



def state_dict(module):
    return state_arrays(module)
