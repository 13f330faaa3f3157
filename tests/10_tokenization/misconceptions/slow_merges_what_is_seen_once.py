"""It goes on until every word is one token."""
# loses: test-learn-slowly

# %% learn-slowly
def learn_slowly(words, counts, most):
    merges = []
    while len(merges) < most:
        totals = count_pairs(words, counts)
        best = min(totals, key=lambda pair: (-totals[pair], pair), default=None)
        if best is None:
            break
        words = [merge(ids, best, 256 + len(merges)) for ids in words]
        merges.append(best)
    return merges
