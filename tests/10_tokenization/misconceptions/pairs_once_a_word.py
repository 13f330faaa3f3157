"""A pair that a word holds twice counts once for it."""
# loses: test-count-pairs, test-learn-slowly

# %% count-pairs
#| export
def count_pairs(words, counts):
    totals = {}
    for ids, count in zip(words, counts, strict=True):
        for pair in set(pairwise(ids)):
            totals[pair] = totals.get(pair, 0) + count
    return totals
