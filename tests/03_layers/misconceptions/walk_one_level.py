"""A module reports its own parameters; the ones inside its parts are their business."""
# loses: test-walk, test-state-dict, test-load-state-dict, test-module-layers

# %% walk
#| export
def walk(module, prefix="", seen=None):
    seen = {id(module)}
    for name, part in members(module):
        if isinstance(part, Parameter | Module) and id(part) not in seen:
            seen.add(id(part))
            yield name, part
