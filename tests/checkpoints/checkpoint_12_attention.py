"""A student can teach a layer where to look: attention learns to reverse sequences that it has never seen."""

import numpy as np

from tinytorch import manual_seed, nn, optim

LETTERS, LENGTH, WIDTH = 8, 6, 32


class Reverse(nn.Module):
    """Every place asks for the letter at the place opposite."""

    def __init__(self):
        super().__init__()
        self.letters = nn.Embedding(LETTERS, WIDTH)
        self.places = nn.Embedding(LENGTH, WIDTH)
        self.attention = nn.MultiHeadAttention(WIDTH, 1)
        self.output = nn.Linear(WIDTH, LETTERS)

    def forward(self, ids):
        x = self.letters(ids) + self.places(np.arange(LENGTH))  # (B, T) -> (B, T, C)
        y, self.looked_at = self.attention(x, need_weights=True)  # (B, T, C) and the weights, (B, H, T, T)
        return self.output(y)  # (B, T, letters)


def test_attention_learns_to_look_at_the_place_opposite():
    manual_seed(0)
    ids = np.random.default_rng(0).integers(LETTERS, size=(300, LENGTH))
    model = Reverse()
    optimizer = optim.AdamW(model.parameters(), lr=0.01)
    for _ in range(120):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(ids[:200]), ids[:200, ::-1]).backward()
        optimizer.step()
    answers = model(ids[200:]).argmax(axis=-1)
    assert (answers == ids[200:, ::-1]).mean() > 0.95
    where = model.looked_at.mean(axis=(0, 1))  # (B, H, T, T) -> (T, T)
    assert where.argmax(axis=-1).tolist() == [5, 4, 3, 2, 1, 0]
