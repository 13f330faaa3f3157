"""Pairs do not overlap: a word of four has two of them."""
# loses: test-count-pairs, test-learn-slowly

# %% count-pairs
#| export
def count_pairs(words, counts):
    totals = {}
    for ids, count in zip(words, counts, strict=True):
        for pair in zip(ids[::2], ids[1::2]):
            totals[pair] = totals.get(pair, 0) + count
    return totals
