"""Whoever changes the dictionary of the arrays changes the model."""
# loses: test-load-state-dict, test-module-layers

# %% load-state-dict
#| export
def load_state_dict(module, state, strict=True):
    own = state_arrays(module)
    given = {path: as_array(numbers) for path, numbers in state.items()}
    check_state(own, given, strict)
    own.update(given)
