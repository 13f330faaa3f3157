"""A merge joins two bytes, so a token has two."""
# loses: test-token-bytes, test-bpe-tokenizer, test-module-tokenization

# %% token-bytes
#| export
def token_bytes(merges):
    tokens = [bytes([number]) for number in range(256)]
    for left, right in merges:
        tokens.append(bytes([left % 256, right % 256]))
    return tokens
