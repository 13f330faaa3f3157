"""The last id has no neighbour, so the walk ends before it."""
# loses: test-merge, test-learn-slowly, test-merge-everywhere, test-learn-merges, test-bpe-tokenizer

# %% merge
#| export
def merge(ids, pair, new):
    merged, place = [], 0
    while place < len(ids) - 1:
        if (ids[place], ids[place + 1]) == tuple(pair):
            merged.append(new)
            place += 2
        else:
            merged.append(ids[place])
            place += 1
    return merged
