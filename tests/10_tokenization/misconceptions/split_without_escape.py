"""A mark is a pattern already."""
# loses: test-split-special, test-bpe-tokenizer, test-module-tokenization

# %% split-special
#| export
def split_special(text, special):
    if not special:
        return [text]
    longest_first = sorted(special, key=len, reverse=True)
    return re.split("(" + "|".join(longest_first) + ")", text)
