"""A default argument is a fresh empty set at every call."""
# loses: test-walk, test-state-dict, test-load-state-dict, test-module-layers

# %% walk
#| export
def walk(module, prefix="", seen=set()):
    seen.add(id(module))
    for name, part in members(module):
        if isinstance(part, Parameter | Module) and id(part) not in seen:
            seen.add(id(part))
            yield prefix + name, part
            if isinstance(part, Module):
                yield from walk(part, f"{prefix}{name}.", seen)
