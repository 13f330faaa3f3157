"""A network on nothing but the exported package: 64 pixels, 64 hidden units, 10 digits, plain gradient descent.

Run it with `python -m tito.demo_model`.
"""

import sys

import numpy as np

from tito.lab import load_digits

EPOCHS, BATCH, RATE = 30, 32, 0.1
GOAL = 0.93  # share of unseen digits read correctly


def train() -> float:
    """Train on 1,437 digits, print the progress, and return the share of the other 360 that is read correctly."""
    from tinytorch import Tensor, manual_seed, nn, no_grad
    from tinytorch.nn import functional as F

    class DigitsMLP(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            self.hidden = nn.Linear(64, 64)
            self.output = nn.Linear(64, 10)

        def forward(self, x: Tensor) -> Tensor:
            h = F.relu(self.hidden(x))  # (B, 64) -> (B, 64)
            return self.output(h)  # (B, 64) -> (B, 10)

    manual_seed(0)
    rng = np.random.default_rng(0)
    pixels, labels = load_digits()
    order = rng.permutation(len(pixels))
    pixels, labels = pixels[order], labels[order]
    known = len(pixels) * 4 // 5
    model = DigitsMLP()
    right = 0.0
    for epoch in range(1, EPOCHS + 1):
        for batch in np.array_split(rng.permutation(known), known // BATCH):
            loss = F.cross_entropy(model(Tensor(pixels[batch])), labels[batch])
            loss.backward()
            for p in model.parameters():
                p.data -= np.float32(RATE) * p.grad
                p.zero_grad()
        with no_grad():
            guesses = model(Tensor(pixels[known:])).argmax(axis=1)
        right = float((guesses == labels[known:]).mean())
        if epoch in (1, 2, 5, 10, 20, EPOCHS):
            print(f"epoch {epoch:2}: loss {loss.item():.3f}, {right:.1%} of unseen digits read correctly", flush=True)
    return right


if __name__ == "__main__":
    share = train()
    sys.exit(0 if share >= GOAL else f"{share:.1%} is below {GOAL:.0%}")
