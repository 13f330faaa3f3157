"""Only what runs inside the block may fail."""
# loses: test-observing

# %% observing
#| export
@contextmanager
def observing(model: Any, watch: Callable[[str, Any], Callable]) -> Iterator[None]:
    before = []
    for path, layer in layers_of(model):
        replacement = watch(path, layer)
        before.append((layer, vars(layer).get("forward")))
        vars(layer)["forward"] = replacement
    try:
        yield None
    finally:
        for layer, own in before:
            vars(layer).pop("forward")
            if own is not None:
                vars(layer)["forward"] = own
