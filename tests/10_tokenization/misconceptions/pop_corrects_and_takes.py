"""An entry that is out of date still names the right pair."""
# loses: test-pop-best, test-learn-merges

# %% pop-best
#| export
def pop_best(heap, totals):
    while heap:
        negative, pair = heappop(heap)
        if totals[pair] >= 2:
            return pair
    return None
