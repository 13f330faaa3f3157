"""1998: the convolutional network (LeCun et al., *Gradient-based learning applied to document recognition*, 1998).

Small windows that slide over the image share their weights: fewer parameters than the perceptron of 1986, and fewer
errors. The same script trains on MNIST or CIFAR-10 when their files are there.

    python cnn.py --seed 0 [--data digits|mnist|cifar10] [--root FOLDER] [--figures FOLDER]
"""

import argparse
import time
from pathlib import Path

import numpy as np

from tinytorch import Tensor, manual_seed, nn, no_grad
from tinytorch.data import CIFAR10, MNIST, DataLoader, Dataset, Digits, RandomCrop, random_split
from tinytorch.nn import functional as F
from tinytorch.optim import AdamW
from tinytorch.optim.lr_scheduler import CosineAnnealingLR

NEEDS = (1, 2, 3, 4, 5, 6, 7, 8, 9)
BATCH, RATE = 64, 0.006
EPOCHS = {"digits": 60, "mnist": 5, "cifar10": 20}


class CNN(nn.Module):
    """Two convolutions, each with batch norm and pooling, and one linear layer.

    Args:
        channels: of the images: 1 for grey, 3 for colour.
        size: side of the images in pixels, a multiple of 4.
    """

    def __init__(self, channels: int, size: int) -> None:
        self.conv1 = nn.Conv2d(channels, 16, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(32)
        self.pool = nn.MaxPool2d(2)
        self.drop = nn.Dropout(0.1)
        self.output = nn.Linear(32 * (size // 4) ** 2, 10)

    def features(self, x: Tensor) -> Tensor:
        """The maps behind the first convolution: (N, C, S, S) -> (N, 16, S, S)"""
        return F.relu(self.norm1(self.conv1(x)))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, S, S) -> (N, 10)"""
        x = self.pool(self.features(x))  # (N, 16, S/2, S/2)
        x = self.pool(F.relu(self.norm2(self.conv2(x))))  # (N, 32, S/4, S/4)
        return self.output(self.drop(x.flatten(1)))  # (N, 10)


def load(data: str, root: str | None, seed: int) -> tuple[Dataset, Dataset]:
    """The part to learn from and the part to be tested on."""
    if data == "digits":
        known, new = random_split(Digits(), [0.8, 0.2], generator=seed)
        return known, new
    reader = {"mnist": MNIST, "cifar10": CIFAR10}[data]
    return reader(root, train=True), reader(root, train=False)


def train_model(model: nn.Module, loader: DataLoader, epochs: int) -> list[float]:
    """Train for a fixed number of epochs; return the mean loss of each."""
    adam = AdamW(model.parameters(), lr=RATE, weight_decay=0.01)
    schedule = CosineAnnealingLR(adam, T_max=epochs)
    losses = []
    model.train()
    for _ in range(epochs):
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


def fit(
    seed: int, data: str = "digits", root: str | None = None, epochs: int | None = None
) -> tuple[CNN, dict[str, float]]:
    """Train a network; return it with its figures."""
    start = time.perf_counter()
    manual_seed(seed)
    known, new = load(data, root, seed)
    _, channels, size, _ = np.shape(next(iter(DataLoader(known, batch_size=1)))[0])
    model = CNN(channels, size)
    shift = RandomCrop(size, padding=max(1, size // 8))  # moves each image by a pixel or a few
    loader = DataLoader(known, batch_size=BATCH, shuffle=True, drop_last=True, transform=shift, generator=seed)
    losses = train_model(model, loader, epochs or EPOCHS[data])
    return model, {
        "test accuracy": accuracy(model, DataLoader(new, batch_size=256)),
        "parameters": sum(p.numel() for p in model.parameters()),
        "seconds": time.perf_counter() - start,
        "first loss": losses[0],
        "last loss": losses[-1],
    }


def run(seed: int) -> dict[str, float]:
    """Train on 80 % of the digits, split by the seed; return the share of the other 20 % that is read correctly."""
    return fit(seed)[1]


def draw(seed: int, folder: Path) -> None:
    """The sixteen filters of the first layer, and what they make of a digit."""
    import matplotlib.pyplot as plt

    model, _ = fit(seed)
    model.eval()
    image = Digits()[np.array([3])][0]
    with no_grad():
        maps = model.features(image).numpy()[0]
    figure, axes = plt.subplots(4, 9, figsize=(9, 4.2))
    for row in (0, 2):
        axes[row, 0].imshow(image.numpy()[0, 0], cmap="gray_r")
        axes[row, 0].set_title("input", fontsize=7)
    for i in range(16):
        row, column = 2 * (i // 8), 1 + i % 8
        axes[row, column].imshow(model.conv1.weight.numpy()[i, 0], cmap="coolwarm")
        axes[row + 1, column].imshow(maps[i], cmap="gray_r")
    for ax in axes.flat:
        ax.axis("off")
    figure.suptitle("1998: sixteen filters (colour), and under each the map that it makes of the digit at the left")
    figure.savefig(folder / "cnn.png", dpi=110, bbox_inches="tight")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", choices=tuple(EPOCHS), default="digits")
    parser.add_argument("--root", help="where the files of MNIST or CIFAR-10 are")
    parser.add_argument("--figures", type=Path, help="save a picture into this folder")
    options = parser.parse_args()
    print(fit(options.seed, options.data, options.root)[1])
    if options.figures:
        draw(options.seed, options.figures)
