"""The later half of a pair stands in front."""
# loses: test-token-bytes, test-bpe-tokenizer, test-module-tokenization

# %% token-bytes
#| export
def token_bytes(merges):
    tokens = [bytes([number]) for number in range(256)]
    for left, right in merges:
        tokens.append(tokens[right] + tokens[left])
    return tokens
