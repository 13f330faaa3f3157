"""What a module holds are its attributes, so vars() has everything."""
# loses: test-walk, test-state-dict

# %% walk
#| export
def walk(module, prefix="", seen=None):
    seen = {id(module)} if seen is None else seen
    for name, part in vars(module).items():
        if isinstance(part, Parameter | Module) and id(part) not in seen:
            seen.add(id(part))
            yield prefix + name, part
            if isinstance(part, Module):
                yield from walk(part, f"{prefix}{name}.", seen)
