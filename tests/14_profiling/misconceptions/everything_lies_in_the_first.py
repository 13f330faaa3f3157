"""Everything lies directly in the first span."""
# loses: test-own-times

# %% own-times
#| export
def own_times(spans: list[tuple[float, float]]) -> list[float]:
    own = [end - begin for begin, end in spans]
    own[0] -= sum(own[1:])
    return own
