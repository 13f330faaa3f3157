"""If the count of numbers agrees, they can be poured into the shape that is needed."""
# loses: test-state-differences, test-load-state-dict

# %% state-differences
#| export
def state_differences(own, given):
    missing = [path for path in own if path not in given]
    unexpected = [path for path in given if path not in own]
    reshaped = [path for path in own if path in given and np.prod(given[path]) != np.prod(own[path])]
    return missing, unexpected, reshaped
