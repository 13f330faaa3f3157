"""Each name has a parameter of its own, so nothing can come twice."""
# loses: test-walk, test-state-dict

# %% walk
#| export
def walk(module, prefix="", seen=None):
    above = {id(module)} if seen is None else seen | {id(module)}
    for name, part in members(module):
        if isinstance(part, Parameter | Module) and id(part) not in above:
            yield prefix + name, part
            if isinstance(part, Module):
                yield from walk(part, f"{prefix}{name}.", above)
