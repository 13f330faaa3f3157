"""No layer has a forward of its own before it is watched."""
# loses: test-observing

# %% observing
#| export
@contextmanager
def observing(model: Any, watch: Callable[[str, Any], Callable]) -> Iterator[None]:
    watched = []
    try:
        for path, layer in layers_of(model):
            vars(layer)["forward"] = watch(path, layer)
            watched.append(layer)
        yield
    finally:
        for layer in watched:
            vars(layer).pop("forward")
