"""A student can train a GPT of their own on a text and have it write the text on from its first words."""

import numpy as np

from tinytorch import manual_seed, nn, optim
from tinytorch.models import GPT
from tinytorch.text import CharTokenizer

TEXT = "The sea is wide and the ship is small. The wind is high and the sail is white. "


def test_a_gpt_writes_its_text_on():
    manual_seed(0)
    tokenizer = CharTokenizer().train(TEXT)
    ids = np.array(tokenizer.encode(TEXT))
    context = 16
    windows = np.stack([ids[i : i + context + 1] for i in range(len(ids) - context)])  # (N, T + 1)
    model = GPT(tokenizer.vocab_size, context, d_model=32, num_layers=1, num_heads=2, seed=0)
    optimizer = optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(180):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(windows[:, :-1]), windows[:, 1:]).backward()
        optimizer.step()
    written = tokenizer.decode(model.generate(ids[:16], len(ids) - 16, temperature=0))
    assert written == TEXT
