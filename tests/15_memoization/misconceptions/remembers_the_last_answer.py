"""It is enough to remember the last answer."""
# loses: test-memoize

# %% memoize
#| export
def memoize(function: Callable) -> Callable:
    known: dict[tuple, Any] = {}

    def remembering(*arguments: Any) -> Any:
        if arguments not in known:
            answer = function(*arguments)
            known.clear()
            known[arguments] = answer
        return known[arguments]

    return remembering
