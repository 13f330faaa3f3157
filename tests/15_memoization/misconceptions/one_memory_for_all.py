"""All functions can remember in one dictionary."""
# loses: test-memoize

# %% memoize
#| export
COMMON: dict[tuple, Any] = {}


def memoize(function: Callable) -> Callable:
    def remembering(*arguments: Any) -> Any:
        if arguments not in COMMON:
            COMMON[arguments] = function(*arguments)
        return COMMON[arguments]

    return remembering
