"""A buffer has one name, the one it was registered under."""
# loses: test-state-dict, test-load-state-dict

# %% state-dict
#| export
def state_arrays(module):
    arrays = {path: parameter.data for path, parameter in module.named_parameters()}
    for path, part in module.named_modules():
        for name in part._buffers:
            arrays[name] = getattr(part, name)
    return arrays



def state_dict(module):
    return {path: np.array(array) for path, array in state_arrays(module).items()}
