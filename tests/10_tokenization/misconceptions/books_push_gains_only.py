"""Only new pairs must enter the heap: the others are in it."""
# loses: test-merge-everywhere, test-learn-merges

# %% merge-everywhere
#| export
def merge_everywhere(pairs, pair, new):
    changes = defaultdict(int)
    for number in pairs.where.pop(pair):
        before, count = pairs.words[number], pairs.counts[number]
        after = pairs.words[number] = merge(before, pair, new)
        for gone in pairwise(before):
            changes[gone] -= count
        for here in pairwise(after):
            changes[here] += count
            pairs.where[here].add(number)
    for changed, change in changes.items():
        pairs.totals[changed] += change
        if change > 0:
            heappush(pairs.heap, (-pairs.totals[changed], changed))
