"""A pair that occurs once is still the best one."""
# loses: test-pop-best, test-learn-merges

# %% pop-best
#| export
def pop_best(heap, totals):
    while heap:
        negative, pair = heappop(heap)
        if totals[pair] == -negative and negative:
            return pair
    return None
