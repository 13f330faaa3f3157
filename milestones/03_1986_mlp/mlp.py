"""1986: the multilayer perceptron (Rumelhart, Hinton and Williams, *Learning representations by ...*, Nature, 1986).

Two layers, 9,610 weights, trained end to end by back-propagation: handwriting is read without anybody saying what a
stroke is.

    python mlp.py --seed 0 [--figures FOLDER]
"""

import argparse
import time
from pathlib import Path

import numpy as np

from tinytorch import Tensor, manual_seed, nn, no_grad
from tinytorch.data import DataLoader, Digits, random_split
from tinytorch.nn import functional as F
from tinytorch.optim import AdamW
from tinytorch.optim.lr_scheduler import CosineAnnealingLR

NEEDS = (1, 2, 3, 4, 5, 6, 7, 8)
EPOCHS, BATCH, RATE = 50, 64, 0.004


class MLP(nn.Module):
    """64 pixels, 128 hidden units, 10 digits."""

    def __init__(self) -> None:
        self.hidden = nn.Linear(64, 128)
        self.drop = nn.Dropout(0.2)
        self.output = nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 8, 8) -> (N, 10)"""
        h = F.relu(self.hidden(x.flatten(1)))  # (N, 64) -> (N, 128)
        return self.output(self.drop(h))  # (N, 10)


def train_model(model: nn.Module, loader: DataLoader) -> list[float]:
    """Train for a fixed number of epochs; return the mean loss of each."""
    adam = AdamW(model.parameters(), lr=RATE, weight_decay=0.01)
    schedule = CosineAnnealingLR(adam, T_max=EPOCHS)
    losses = []
    model.train()
    for _ in range(EPOCHS):
        total = 0.0
        for images, labels in loader:
            loss = F.cross_entropy(model(images), labels)
            adam.zero_grad()
            loss.backward()
            adam.step()
            total += loss.item()
        schedule.step()
        losses.append(total / len(loader))
    return losses


def accuracy(model: nn.Module, loader: DataLoader) -> float:
    """Share of the samples that are read correctly."""
    model.eval()
    with no_grad():
        right = [(model(images).argmax(axis=1) == labels).sum() for images, labels in loader]
    return float(sum(right) / len(loader.dataset))


def run(seed: int) -> dict[str, float]:
    """Train on 80 % of the digits, split by the seed; return the share of the other 20 % that is read correctly."""
    start = time.perf_counter()
    manual_seed(seed)
    known, new = random_split(Digits(), [0.8, 0.2], generator=seed)
    model = MLP()
    losses = train_model(model, DataLoader(known, batch_size=BATCH, shuffle=True, generator=seed))
    return {
        "test accuracy": accuracy(model, DataLoader(new, batch_size=256)),
        "parameters": sum(p.numel() for p in model.parameters()),
        "seconds": time.perf_counter() - start,
        "first loss": losses[0],
        "last loss": losses[-1],
    }


def draw(seed: int, folder: Path) -> None:
    """The weights of sixteen hidden units as images: what each is looking for."""
    import matplotlib.pyplot as plt

    manual_seed(seed)
    known, _ = random_split(Digits(), [0.8, 0.2], generator=seed)
    model = MLP()
    train_model(model, DataLoader(known, batch_size=BATCH, shuffle=True, generator=seed))
    figure, axes = plt.subplots(2, 8, figsize=(8, 2.4))
    for ax, weights in zip(axes.flat, model.hidden.weight.data, strict=False):
        ax.imshow(np.asarray(weights).reshape(8, 8), cmap="coolwarm", vmin=-1, vmax=1)
        ax.axis("off")
    figure.suptitle("1986: what sixteen hidden units look for (red: ink wanted, blue: ink unwanted)")
    figure.savefig(folder / "mlp.png", dpi=110, bbox_inches="tight")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--figures", type=Path, help="save a picture into this folder")
    options = parser.parse_args()
    print(run(options.seed))
    if options.figures:
        draw(options.seed, options.figures)
