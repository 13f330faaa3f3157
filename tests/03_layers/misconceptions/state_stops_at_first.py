"""One problem is reason enough: report it and stop."""
# loses: test-state-differences, test-module-layers

# %% state-differences
#| export
def state_differences(own, given):
    for path in own:
        if path not in given:
            return [path], [], []
        if given[path] != own[path]:
            return [], [], [path]
    for path in given:
        if path not in own:
            return [], [path], []
    return [], [], []
