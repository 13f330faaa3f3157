"""What is learnt stands in the parameters, so a state holds parameters."""
# loses: test-state-dict, test-load-state-dict

# %% state-dict
#| export
def state_arrays(module):
    return {path: parameter.data for path, parameter in module.named_parameters()}



def state_dict(module):
    return {path: np.array(array) for path, array in state_arrays(module).items()}
