"""Networks that the tests of compression prune, and the digits that they read."""

import numpy as np

from tinytorch import Tensor, manual_seed, nn, no_grad, optim
from tinytorch.data import Digits
from tinytorch.nn import functional as F


class MLP(nn.Module):
    """64 pixels, hidden units, 10 digits."""

    def __init__(self, hidden: int = 32) -> None:
        self.hidden = nn.Linear(64, hidden)
        self.output = nn.Linear(hidden, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(F.relu(self.hidden(x)))


class CNN(nn.Module):
    """8 x 8 pixels, two convolutions with batch norm, 10 digits; built as milestone 1998 is."""

    def __init__(self) -> None:
        self.conv1, self.norm1 = nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.conv2, self.norm2 = nn.Conv2d(8, 12, 3, padding=1), nn.BatchNorm2d(12)
        self.pool, self.flatten = nn.MaxPool2d(2), nn.Flatten()
        self.output = nn.Linear(48, 10)

    def forward(self, x: Tensor) -> Tensor:
        h = self.pool(F.relu(self.norm1(self.conv1(x))))  # (N, 8, 4, 4)
        h = self.pool(F.relu(self.norm2(self.conv2(h))))  # (N, 12, 2, 2)
        return self.output(self.flatten(h))


class School:
    """The digits, and how a network learns and is examined; images are (N, 1, 8, 8) or, flat, (N, 64)."""

    READERS = {"conv1": ["norm1", "conv2"], "conv2": ["norm2", "output"]}  # noqa: RUF012

    def __init__(self) -> None:
        images, self.labels = Digits().gather(np.arange(1797))
        self.pixels = images.data.reshape(1797, 1, 8, 8)

    MLP, CNN = MLP, CNN

    def batch(self, model: nn.Module, places: np.ndarray) -> Tensor:
        flat = isinstance(model, MLP)
        return Tensor(self.pixels[places].reshape(len(places), 64) if flat else self.pixels[places])

    def fit(self, model, epochs, loss=None, optimizer=None, samples=1400):
        """Train on the first digits in batches of 50; the losses of all steps."""
        optimizer = optimizer or optim.AdamW(model.parameters(), lr=0.005)
        rng, losses = np.random.default_rng(0), []
        model.train()
        for _ in range(epochs):
            for places in rng.permutation(samples).reshape(-1, 50):
                x, y = self.batch(model, places), self.labels[places]
                model.zero_grad()
                cost = loss(x, y) if loss else F.cross_entropy(model(x), y)
                cost.backward()
                optimizer.step()
                losses.append(cost.item())
        model.eval()
        return losses

    def right(self, model: nn.Module) -> float:
        """The share of the last 397 digits."""
        places = np.arange(1400, 1797)
        with no_grad():
            return float((model(self.batch(model, places)).argmax(axis=1) == self.labels[places]).mean())

    def trained(self) -> dict[str, nn.Module]:
        """One network of each kind that has learned."""
        manual_seed(0)
        models = {"mlp": MLP(), "cnn": CNN()}
        self.fit(models["mlp"], 10)
        self.fit(models["cnn"], 3)
        return models
