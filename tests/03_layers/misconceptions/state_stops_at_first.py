"""One problem is reason enough: report it and stop."""
# loses: test-check-state, test-module-layers

# %% check-state
#| export
def check_state(own, given):
    for path in own:
        if path not in given:
            raise ValueError(f"missing: {path}")
    for path in given:
        if path not in own:
            raise ValueError(f"unexpected: {path}")
    for path, shape in own.items():
        if given[path] != shape:
            raise ValueError(f"{path} has shape {given[path]}, but the model needs {shape}")
