"""Each distinct word counts once, however often it occurs."""
# loses: test-count-pairs, test-learn-slowly

# %% count-pairs
#| export
def count_pairs(words, counts):
    totals = {}
    for ids in words:
        for pair in pairwise(ids):
            totals[pair] = totals.get(pair, 0) + 1
    return totals
