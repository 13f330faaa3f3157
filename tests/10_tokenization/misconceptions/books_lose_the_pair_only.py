"""A merge takes away the merged pair; its neighbours keep their totals."""
# loses: test-merge-everywhere, test-learn-merges, test-bpe-tokenizer

# %% merge-everywhere
#| export
def merge_everywhere(pairs, pair, new):
    changes = defaultdict(int)
    changes[pair] -= pairs.totals[pair]
    for number in pairs.where.pop(pair):
        before, count = pairs.words[number], pairs.counts[number]
        pairs.words[number] = merge(before, pair, new)
        for here in pairwise(pairs.words[number]):
            if new in here:
                changes[here] += count
            pairs.where[here].add(number)
    for changed, change in changes.items():
        if change:
            pairs.totals[changed] += change
            heappush(pairs.heap, (-pairs.totals[changed], changed))
