"""A merge replaces the first place where the pair stands."""
# loses: test-merge, test-learn-slowly, test-merge-everywhere, test-learn-merges, test-bpe-tokenizer, test-module-tokenization

# %% merge
#| export
def merge(ids, pair, new):
    merged = list(ids)
    for place in range(len(merged) - 1):
        if (merged[place], merged[place + 1]) == pair:
            return merged[:place] + [new] + merged[place + 2 :]
    return merged
