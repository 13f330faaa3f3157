"""The order of the marks does not matter."""
# loses: test-split-special

# %% split-special
#| export
def split_special(text, special):
    if not special:
        return [text]
    return re.split("(" + "|".join(map(re.escape, special)) + ")", text)
