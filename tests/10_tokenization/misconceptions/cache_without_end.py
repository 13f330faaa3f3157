"""A cache that never forgets is the fastest."""
# loses: test-word-cache

# %% word-cache
#| export
class WordCache(dict):

    def __init__(self, ranks, most=200_000):
        super().__init__()
        self.ranks, self.most = ranks, most

    def __missing__(self, word):
        ids = self[word] = encode_word(list(word.encode()), self.ranks)
        return ids
