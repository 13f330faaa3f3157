"""Putting back means to store the forward that the layer had."""
# loses: test-observing

# %% observing
#| export
@contextmanager
def observing(model: Any, watch: Callable[[str, Any], Callable]) -> Iterator[None]:
    before = [(layer, layer.forward) for _, layer in layers_of(model)]
    try:
        for path, layer in layers_of(model):
            vars(layer)["forward"] = watch(path, layer)
        yield
    finally:
        for layer, forward in before:
            vars(layer)["forward"] = forward
