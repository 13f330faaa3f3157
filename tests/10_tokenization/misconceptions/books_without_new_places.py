"""Where a pair stands was found out once, at the beginning."""
# loses: test-merge-everywhere, test-learn-merges, test-bpe-tokenizer, test-module-tokenization

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
    for changed, change in changes.items():
        if change:
            pairs.totals[changed] += change
            heappush(pairs.heap, (-pairs.totals[changed], changed))
