"""A pair is the same pair the other way round."""
# loses: test-count-pairs, test-learn-slowly

# %% count-pairs
#| export
def count_pairs(words, counts):
    totals = {}
    for ids, count in zip(words, counts, strict=True):
        for a, b in pairwise(ids):
            pair = (min(a, b), max(a, b))
            totals[pair] = totals.get(pair, 0) + count
    return totals
