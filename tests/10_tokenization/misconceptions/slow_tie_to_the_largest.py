"""On a tie the larger pair wins, as max of (count, pair) says."""
# loses: test-learn-slowly

# %% learn-slowly
def learn_slowly(words, counts, most):
    merges = []
    while len(merges) < most:
        totals = count_pairs(words, counts)
        best = max(totals, key=lambda pair: (totals[pair], pair), default=None)
        if best is None or totals[best] < 2:
            break
        words = [merge(ids, best, 256 + len(merges)) for ids in words]
        merges.append(best)
    return merges
