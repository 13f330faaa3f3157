"""Inside a module the names begin anew: its own path is all that they need."""
# loses: test-walk, test-state-dict

# %% walk
#| export
def walk(module, prefix="", seen=None):
    seen = {id(module)} if seen is None else seen
    for name, part in members(module):
        if isinstance(part, Parameter | Module) and id(part) not in seen:
            seen.add(id(part))
            yield prefix + name, part
            if isinstance(part, Module):
                yield from walk(part, f"{name}.", seen)
