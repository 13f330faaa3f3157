"""Empty pieces say nothing and can go."""
# loses: test-split-special, test-bpe-tokenizer

# %% split-special
#| export
def split_special(text, special):
    if not special:
        return [text]
    longest_first = sorted(special, key=len, reverse=True)
    pieces = re.split("(" + "|".join(map(re.escape, longest_first)) + ")", text)
    return [piece for piece in pieces if piece]
