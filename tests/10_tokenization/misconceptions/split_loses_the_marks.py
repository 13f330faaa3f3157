"""re.split keeps what it splits at."""
# loses: test-split-special, test-bpe-tokenizer, test-module-tokenization

# %% split-special
#| export
def split_special(text, special):
    if not special:
        return [text]
    longest_first = sorted(special, key=len, reverse=True)
    return re.split("|".join(map(re.escape, longest_first)), text)
