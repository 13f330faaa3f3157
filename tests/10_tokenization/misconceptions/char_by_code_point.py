"""A character has a number already: ord gives it."""
# loses: test-char-tokenizer, test-module-tokenization

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
        for place, character in enumerate(text):
            if character not in self.numbers:
                raise ValueError(f"{character!r} at place {place} has no number.")
        return np.array([ord(character) for character in text], dtype=np.intp)

    def decode(self, ids):
        known = check_ids(ids, self.vocab_size)
        return "".join(self.characters[number] for number in known)
