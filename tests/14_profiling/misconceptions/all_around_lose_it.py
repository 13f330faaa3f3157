"""A span is taken from everything that it lies in."""
# loses: test-own-times

# %% own-times
#| export
def own_times(spans: list[tuple[float, float]]) -> list[float]:
    own = [end - begin for begin, end in spans]
    for i, (begin, end) in enumerate(spans):
        for j, (first, last) in enumerate(spans[:i]):
            if first <= begin and end <= last:
                own[j] -= end - begin
    return own
