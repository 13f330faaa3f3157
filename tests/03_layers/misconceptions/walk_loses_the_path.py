"""The name of a parameter is the attribute that it is stored under: weight."""
# loses: test-walk, test-state-dict, test-load-state-dict, test-module-layers

# %% walk
#| export
def walk(module, prefix="", seen=None):
    seen = {id(module)} if seen is None else seen
    for name, part in members(module):
        if isinstance(part, Parameter | Module) and id(part) not in seen:
            seen.add(id(part))
            yield name, part
            if isinstance(part, Module):
                yield from walk(part, prefix, seen)
