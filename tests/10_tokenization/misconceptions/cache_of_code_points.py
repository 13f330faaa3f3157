"""The bytes of a word are the numbers of its characters."""
# loses: test-word-cache, test-bpe-tokenizer, test-module-tokenization

# %% word-cache
#| export
class WordCache(dict):

    def __init__(self, ranks, most=200_000):
        super().__init__()
        self.ranks, self.most = ranks, most

    def __missing__(self, word):
        if len(self) >= self.most:
            self.clear()
        ids = self[word] = encode_word([ord(character) for character in word], self.ranks)
        return ids
