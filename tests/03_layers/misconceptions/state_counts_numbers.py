"""If the count of numbers agrees, they can be poured into the shape that is needed."""
# loses: test-check-state

# %% check-state
#| export
def check_state(own, given):
    problems = [f"missing: {path}" for path in own if path not in given]
    problems += [f"unexpected: {path}" for path in given if path not in own]
    for path, shape in own.items():
        if path in given and np.prod(given[path]) != np.prod(shape):
            problems.append(f"{path} has shape {given[path]}, but the model needs {shape}")
    if problems:
        raise ValueError("; ".join(problems))
