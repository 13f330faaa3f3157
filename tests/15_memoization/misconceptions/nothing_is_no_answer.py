"""Where 0 is found, nothing is known yet."""
# loses: test-memoize

# %% memoize
#| export
def memoize(function: Callable) -> Callable:
    known: dict[tuple, Any] = {}

    def remembering(*arguments: Any) -> Any:
        if not known.get(arguments):
            known[arguments] = function(*arguments)
        return known[arguments]

    return remembering
