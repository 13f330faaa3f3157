"""1957: the perceptron (Rosenblatt, *The perceptron*, Psychological Review, 1958).

One neuron with a hard threshold, and a rule without calculus: after each mistake, add the input that should have
fired, or subtract the one that should not have. If a straight line can separate the classes, it is found in finitely
many mistakes.

    python perceptron.py --seed 0 [--figures FOLDER]
"""

import argparse
from pathlib import Path

import numpy as np

from tinytorch import Tensor, manual_seed, nn, randn
from tinytorch.data import Digits

NEEDS = (1, 2, 3, 8)
EPOCHS = 50


class Perceptron(nn.Module):
    """A weighted sum and a threshold at 0."""

    def __init__(self, features: int) -> None:
        self.score = nn.Linear(features, 1)
        self.score.weight.data[...] = 0  # all that it will know are the inputs that it got wrong
        self.score.bias.data[...] = 0

    def forward(self, x: Tensor) -> np.ndarray:
        """Fire or not: (N, features) -> N booleans."""
        return self.score(x).squeeze(1) > 0

    def correct(self, x: Tensor, fires: np.ndarray, should: np.ndarray) -> None:
        """Rosenblatt's rule for a batch: add the missed inputs, subtract the false alarms."""
        error = should.astype(np.float32) - fires  # +1 missed, -1 false alarm, 0 right
        self.score.weight.data += error @ x.data  # (N,) @ (N, features) -> (features,)
        self.score.bias.data += error.sum()


def learn(x: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> tuple[Perceptron, list[int]]:
    """Present the samples one by one until an epoch passes without a mistake; return the mistakes of each epoch."""
    model, mistakes = Perceptron(x.shape[1]), []
    for _ in range(EPOCHS):
        wrong = 0
        for i in rng.permutation(len(x)):
            sample, should = Tensor(x[i : i + 1]), labels[i : i + 1]
            fires = model(sample)
            if fires[0] != should[0]:
                model.correct(sample, fires, should)
                wrong += 1
        mistakes.append(wrong)
        if not wrong:
            break
    return model, mistakes


def separable(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Points of the plane on two sides of a line, none closer to it than 0.3."""
    points = randn(400, 2).numpy()
    angle = rng.uniform(0, 2 * np.pi)
    side = points @ np.array([np.cos(angle), np.sin(angle)], dtype=np.float32)
    return points[np.abs(side) > 0.3], side[np.abs(side) > 0.3] > 0


def zeros_and_twos() -> tuple[np.ndarray, np.ndarray]:
    """The digits 0 and 2 of 8 x 8 pixels; the label says whether it is a 2."""
    images, labels = Digits()[np.arange(1797)]
    chosen = (labels == 0) | (labels == 2)
    return images.flatten(1).numpy()[chosen], labels[chosen] == 2


def run(seed: int) -> dict[str, float]:
    """Learn both tasks on 80 % of the samples; return the shares that are named correctly afterwards."""
    manual_seed(seed)
    rng = np.random.default_rng(seed)
    result = {}
    for name, (x, labels) in {"synthetic": separable(rng), "digits": zeros_and_twos()}.items():
        order = rng.permutation(len(x))
        known, new = np.split(order, [len(x) * 4 // 5])
        model, mistakes = learn(x[known], labels[known], rng)
        everything = order if name == "synthetic" else new  # a separable set is to be separated whole
        result[name] = float((model(Tensor(x[everything])) == labels[everything]).mean())
        result[f"{name} epochs"] = len(mistakes)
        result[f"{name} first mistakes"] = mistakes[0]
    return result


def draw(seed: int, folder: Path) -> None:
    """The separable points and the line that was found."""
    import matplotlib.pyplot as plt

    manual_seed(seed)
    rng = np.random.default_rng(seed)
    x, labels = separable(rng)
    model, _ = learn(x, labels, rng)
    (a, b), c = model.score.weight.data[0], model.score.bias.data[0]
    along = np.linspace(-3, 3, 2)
    figure, ax = plt.subplots(figsize=(5, 3))
    ax.plot(*x[labels].T, "o", markersize=3, label="fires")
    ax.plot(*x[~labels].T, "x", markersize=3, label="does not")
    ax.plot(along, -(a * along + c) / b, "k-", label="the line learned")
    ax.set(xlabel="$x_1$", ylabel="$x_2$", ylim=(-3.5, 3.5), title="1957: one neuron, one line")
    ax.legend(fontsize=7)
    figure.savefig(folder / "perceptron.png", dpi=110, bbox_inches="tight")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--figures", type=Path, help="save a picture into this folder")
    options = parser.parse_args()
    print(run(options.seed))
    if options.figures:
        draw(options.seed, options.figures)
