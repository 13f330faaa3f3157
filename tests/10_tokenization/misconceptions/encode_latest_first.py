"""The merge that was learnt last makes the longest token, so it comes first."""
# loses: test-encode-word, test-bpe-tokenizer, test-module-tokenization

# %% encode-word
#| export
def encode_word(ids, ranks):
    ids = list(ids)
    while True:
        found = [ranks.get(pair, -1) for pair in pairwise(ids)]
        highest = max(found, default=-1)
        if highest < 0:
            return ids
        place = found.index(highest)
        ids[place : place + 2] = [highest]
