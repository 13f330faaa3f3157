"""What the model does not know cannot hurt it; only missing numbers can."""
# loses: test-check-state

# %% check-state
#| export
def check_state(own, given):
    problems = [f"missing: {path}" for path in own if path not in given]
    for path, shape in own.items():
        if path in given and given[path] != shape:
            problems.append(f"{path} has shape {given[path]}, but the model needs {shape}")
    if problems:
        raise ValueError("; ".join(problems))
