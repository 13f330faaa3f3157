"""A span lies in the one that began before it."""
# loses: test-own-times

# %% own-times
#| export
def own_times(spans: list[tuple[float, float]]) -> list[float]:
    own = [end - begin for begin, end in spans]
    for i in range(1, len(spans)):
        begin, end = spans[i]
        if begin < spans[i - 1][1]:
            own[i - 1] -= end - begin
    return own
