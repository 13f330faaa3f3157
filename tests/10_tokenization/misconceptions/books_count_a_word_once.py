"""In the books a word counts once."""
# loses: test-merge-everywhere, test-learn-merges, test-module-tokenization

# %% merge-everywhere
#| export
def merge_everywhere(pairs, pair, new):
    changes = defaultdict(int)
    for number in pairs.where.pop(pair):
        before = pairs.words[number]
        after = pairs.words[number] = merge(before, pair, new)
        for gone in pairwise(before):
            changes[gone] -= 1
        for here in pairwise(after):
            changes[here] += 1
            pairs.where[here].add(number)
    for changed, change in changes.items():
        if change:
            pairs.totals[changed] += change
            heappush(pairs.heap, (-pairs.totals[changed], changed))
