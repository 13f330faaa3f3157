"""What the model does not know cannot hurt it; only missing numbers can."""
# loses: test-state-differences, test-load-state-dict

# %% state-differences
#| export
def state_differences(own, given):
    missing = [path for path in own if path not in given]
    reshaped = [path for path in own if path in given and given[path] != own[path]]
    return missing, [], reshaped
