"""__missing__ returns the ids; the dict keeps them by itself."""
# loses: test-word-cache

# %% word-cache
#| export
class WordCache(dict):

    def __init__(self, ranks, most=200_000):
        super().__init__()
        self.ranks, self.most = ranks, most

    def __missing__(self, word):
        return encode_word(list(word.encode()), self.ranks)
