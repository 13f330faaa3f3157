"""A student can learn what words have in common from nothing but the words beside them."""

import numpy as np

from tinytorch import manual_seed, nn, optim

ANIMALS, TOOLS = ["cat", "dog", "cow"], ["saw", "axe", "drill"]
WORDS = [*ANIMALS, *TOOLS, "eats", "sleeps", "cuts", "breaks"]
NUMBERS = {word: number for number, word in enumerate(WORDS)}


class NextWord(nn.Module):
    """Guesses the word that follows."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(len(WORDS), 8)
        self.output = nn.Linear(8, len(WORDS))

    def forward(self, ids):
        return self.output(self.table(ids))  # (N,) -> (N, 8) -> (N, words)


def test_words_that_are_used_alike_come_to_lie_together():
    manual_seed(0)
    pairs = [(a, verb) for a in ANIMALS for verb in ("eats", "sleeps")]
    pairs += [(tool, verb) for tool in TOOLS for verb in ("cuts", "breaks")]
    first, second = (np.array([NUMBERS[word] for word in words]) for words in zip(*pairs, strict=True))
    model = NextWord()
    optimizer = optim.AdamW(model.parameters(), lr=0.05, weight_decay=0.5)

    def likeness(a, b):
        x, y = model.table.weight.data[NUMBERS[a]], model.table.weight.data[NUMBERS[b]]
        return x @ y / np.sqrt(x @ x * (y @ y))

    assert max(abs(likeness("cat", word)) for word in ("dog", "saw")) < 0.9
    for _ in range(300):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(first), second).backward()
        optimizer.step()
    assert min(likeness("cat", "dog"), likeness("cat", "cow"), likeness("saw", "axe")) > 0.9
    assert max(likeness(animal, tool) for animal in ANIMALS for tool in TOOLS) < 0
