"""The word itself may be changed, for the old one is not needed."""
# loses: test-merge, test-learn-slowly, test-merge-everywhere, test-learn-merges, test-bpe-tokenizer, test-module-tokenization

# %% merge
#| export
def merge(ids, pair, new):
    place = 0
    while place < len(ids) - 1:
        if (ids[place], ids[place + 1]) == tuple(pair):
            ids[place : place + 2] = [new]
        place += 1
    return ids
