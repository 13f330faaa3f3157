"""2017: the transformer, attention carries a letter to where it is needed (Vaswani et al. 2017).

Turn twelve letters around. Nothing in a network without attention can do it: each place is computed from its own letter
alone. One block that may look at the other places learns which one to fetch, and does it without a mistake.
"""

import argparse
import time
from pathlib import Path
from string import ascii_lowercase

import numpy as np

import tinytorch
from tinytorch import Tensor, manual_seed, nn, no_grad, optim
from tinytorch.nn import functional as F

NEEDS = (1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13)
GOALS = {"reversed without a mistake": {"least": 0.99}, "the same without attention": {"most": 0.01}}
LETTERS, LENGTH, D_MODEL, HEADS = len(ascii_lowercase), 12, 64, 4
STEPS, BATCH, RATE = 450, 128, 0.003
UNSEEN = 1000


class Reverser(nn.Module):
    """Letters and their places, one block that may look everywhere, and a linear layer that names a letter."""

    def __init__(self, looks: bool = True) -> None:
        self.letters = nn.Embedding(LETTERS, D_MODEL)
        self.places = nn.PositionalEncoding(LENGTH, D_MODEL, learned=True)
        self.look_norm, self.think_norm = nn.LayerNorm(D_MODEL), nn.LayerNorm(D_MODEL)
        self.look = nn.MultiHeadAttention(D_MODEL, HEADS)
        self.think = nn.FeedForward(D_MODEL)
        self.output = nn.Linear(D_MODEL, LETTERS)
        self.looks = looks

    def embed(self, letters: np.ndarray) -> Tensor:
        """(N, T) -> (N, T, C)"""
        return self.places(self.letters(letters))

    def forward(self, letters: np.ndarray) -> Tensor:
        """Letters -> logits of the letter that belongs in each place: (N, T) -> (N, T, 26)."""
        x = self.embed(letters)  # (N, T, C)
        if self.looks:
            x = x + self.look(self.look_norm(x))
        x = x + self.think(self.think_norm(x))
        return self.output(x)  # (N, T, 26)

    def weights(self, letters: np.ndarray) -> np.ndarray:
        """Who looked where: (N, T) -> (N, H, T, T)."""
        return self.look(self.look_norm(self.embed(letters)), need_weights=True)[1]


def words(count: int, rng: np.random.Generator) -> np.ndarray:
    """Random sequences of letters, as numbers: (count, T)."""
    return rng.integers(0, LETTERS, size=(count, LENGTH))


def train(model: Reverser, unseen: np.ndarray, rng: np.random.Generator) -> None:
    """A fixed number of batches of new sequences; one that is kept for the end is never among them."""
    adam = optim.AdamW(model.parameters(), lr=RATE)
    schedule = optim.lr_scheduler.CosineAnnealingLR(adam, T_max=STEPS)
    kept, start = {sequence.tobytes() for sequence in unseen}, time.monotonic()
    for step in range(1, STEPS + 1):
        batch = np.stack([sequence for sequence in words(BATCH, rng) if sequence.tobytes() not in kept])
        logits = model(batch)  # (N, T, 26)
        loss = F.cross_entropy(logits.reshape(-1, LETTERS), batch[:, ::-1].reshape(-1))
        adam.zero_grad()
        loss.backward()
        adam.step()
        schedule.step()
        if step % (STEPS // 10) == 0:
            left = (time.monotonic() - start) / step * (STEPS - step)
            print(f"batch {step:3} of {STEPS}, loss {loss.item():.4f}, about {left:.0f} s left")


def share_exact(model: Reverser, sequences: np.ndarray) -> float:
    """The share of sequences in which every letter is right."""
    with no_grad():
        guesses = model(sequences).data.argmax(axis=-1)  # (N, T)
    return float((guesses == sequences[:, ::-1]).all(axis=1).mean())


def run(seed: int, picture: Path | None = None) -> dict[str, float]:
    """Train the network with and without attention on the same sequences, try both on unseen ones, and tell it.

    Args:
        seed: of the sequences and the first weights.
        picture: where to save one, or None.

    Returns:
        The shares of the unseen sequences that come out reversed without a mistake.
    """
    unseen = words(UNSEEN, np.random.default_rng([seed, 0]))
    shares = {}
    for name, looks in zip(GOALS, (True, False), strict=True):
        print(f"{'with' if looks else 'without'} attention")
        manual_seed(seed)
        model = Reverser(looks)
        train(model, unseen, np.random.default_rng([seed, 1]))
        shares[name] = share_exact(model, unseen)
        if picture and looks:
            draw(model, unseen[:1], picture)
    exact, blind = shares.values()
    goal = GOALS["reversed without a mistake"]["least"]
    print(
        f"\nA transformer of one block, with the code in {Path(tinytorch.__file__).parent},\n"
        f"has learned from {STEPS * BATCH:,} random sequences to turn {LENGTH} letters around.\n"
        f"Of {UNSEEN:,} that it had never seen it reverses {exact:.1%} without a mistake; the same network without\n"
        f"attention, trained on the same sequences, {blind:.1%}.\n"
        f"The claim is {goal:.0%} with every seed: this run {'keeps it' if exact >= goal else 'falls short of it'}."
    )
    if picture:
        print(f"Where each of its heads looks: {picture}")
    return shares


def draw(model: Reverser, letters: np.ndarray, path: Path) -> None:
    """Save a picture of what each head looks at while one sequence (1, T) is turned around."""
    import matplotlib.pyplot as plt

    with no_grad():
        weights = model.weights(letters)[0]  # (H, T, T)
    names = [ascii_lowercase[letter] for letter in letters[0]]
    figure, axes = plt.subplots(1, HEADS, figsize=(2.2 * HEADS, 2.5))
    for head, (ax, table) in enumerate(zip(axes, weights, strict=True)):
        image = ax.imshow(table, cmap="gray_r", vmin=0, vmax=1)
        ax.set_xticks(range(LENGTH), names, fontsize=7)
        ax.set_yticks(range(LENGTH), names[::-1], fontsize=7)
        ax.set_title(f"head {head + 1}", fontsize=8)
        ax.set_xlabel("looks at", fontsize=8)
    axes[0].set_ylabel("letter to write", fontsize=8)
    figure.colorbar(image, ax=axes, shrink=0.8, label="weight")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80, bbox_inches="tight")
    plt.close(figure)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="of the sequences and the first weights (default: 0)")
    parser.add_argument(
        "--picture", type=Path, default=Path("transformer.png"), metavar="FILE", help="where to save it"
    )
    options = parser.parse_args()
    run(options.seed, options.picture)
