"""What the tokenizer does not know, it leaves out."""
# loses: test-char-tokenizer

# %% char-tokenizer
#| export
class CharTokenizer:

    def __init__(self) -> None:
        self.characters: list[str] = []
        self.numbers: dict[str, int] = {}

    @property
    def vocab_size(self) -> int:
        return len(self.characters)

    def train(self, text):
        check_text(text)
        self.characters = sorted(set(text))
        self.numbers = {character: number for number, character in enumerate(self.characters)}
        return self

    def encode(self, text):
        check_text(text)
        return np.array([self.numbers[c] for c in text if c in self.numbers], dtype=np.intp)

    def decode(self, ids):
        known = check_ids(ids, self.vocab_size)
        return "".join(self.characters[number] for number in known)
