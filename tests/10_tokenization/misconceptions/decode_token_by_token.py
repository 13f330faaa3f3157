"""Every token is a text of its own."""
# loses: test-bpe-tokenizer, test-module-tokenization

# %% bpe-tokenizer
#| export
class BPETokenizer(SavedAsJson):

    def __init__(self, special_tokens=()):
        self.special_tokens = check_special(special_tokens)
        self.set_merges([])

    def set_merges(self, merges):
        self.merges = merges
        self.ranks = {pair: 256 + k for k, pair in enumerate(merges)}
        self.tokens = token_bytes(merges) + [mark.encode() for mark in self.special_tokens]
        self.known = WordCache(self.ranks)

    @property
    def vocab_size(self):
        return len(self.tokens)

    def train(self, text, vocab_size):
        check_text(text)
        most = room_for_merges(vocab_size, self.special_tokens)
        words, counts = count_words(*split_special(text, self.special_tokens)[::2])
        self.set_merges(learn_merges(words, counts, most))
        return self

    def encode(self, text, allowed_special=()):
        check_text(text)
        allowed = check_allowed(allowed_special, self.special_tokens)
        first = 256 + len(self.merges)
        ids = []
        for place, piece in enumerate(split_special(text, allowed)):
            if place % 2:
                ids.append(first + self.special_tokens.index(piece))
            else:
                for word in WORDS.findall(piece):
                    ids += self.known[word]
        return np.array(ids, dtype=np.intp)

    def decode(self, ids):
        known = check_ids(ids, self.vocab_size)
        return "".join(self.tokens[number].decode("utf-8", errors="replace") for number in known)
