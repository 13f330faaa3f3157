"""Of several most frequent pairs any will do: max finds one."""
# loses: test-learn-slowly

# %% learn-slowly
def learn_slowly(words, counts, most):
    merges = []
    while len(merges) < most:
        totals = count_pairs(words, counts)
        best = max(totals, key=totals.get, default=None)
        if best is None or totals[best] < 2:
            break
        words = [merge(ids, best, 256 + len(merges)) for ids in words]
        merges.append(best)
    return merges
