"""The walk goes on by one, wherever it is."""
# loses: test-merge, test-learn-slowly, test-merge-everywhere, test-learn-merges, test-bpe-tokenizer, test-module-tokenization

# %% merge
#| export
def merge(ids, pair, new):
    merged = []
    for place, number in enumerate(ids):
        merged.append(new if tuple(ids[place : place + 2]) == tuple(pair) else number)
    return merged
