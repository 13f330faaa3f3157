"""One round over the word is enough."""
# loses: test-encode-word, test-word-cache, test-bpe-tokenizer, test-module-tokenization

# %% encode-word
#| export
def encode_word(ids, ranks):
    ids = list(ids)
    for pair in sorted(set(pairwise(ids)), key=lambda pair: ranks.get(pair, inf)):
        if pair in ranks:
            ids = merge(ids, pair, ranks[pair])
    return ids
