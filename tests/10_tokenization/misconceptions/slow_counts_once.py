"""The pairs are counted once and then merged in the order of their counts."""
# loses: test-learn-slowly

# %% learn-slowly
def learn_slowly(words, counts, most):
    merges = []
    totals = count_pairs(words, counts)
    ranking = sorted(totals, key=lambda pair: (-totals[pair], pair))
    merges += [pair for pair in ranking if totals[pair] >= 2][:most]
    return merges
