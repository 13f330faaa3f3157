"""The heap is told by how much a total has changed."""
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
        if change:
            pairs.totals[changed] += change
            heappush(pairs.heap, (-change, changed))
