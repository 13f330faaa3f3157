"""A second training adds its characters to the first one's."""
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
        for character in sorted(set(text)):
            if character not in self.numbers:
                self.numbers[character] = len(self.characters)
                self.characters.append(character)
        return self

    def encode(self, text):
        check_text(text)
        for place, character in enumerate(text):
            if character not in self.numbers:
                raise ValueError(f"{character!r} at place {place} has no number.")
        return np.array([self.numbers[character] for character in text], dtype=np.intp)

    def decode(self, ids):
        known = check_ids(ids, self.vocab_size)
        return "".join(self.characters[number] for number in known)
