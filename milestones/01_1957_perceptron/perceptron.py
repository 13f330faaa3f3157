"""1957: the perceptron, one neuron that learns from its mistakes (Rosenblatt 1958).

A weighted sum and a threshold. When it should have fired and did not, the input is added to the weights; when it
fired and should not have, the input is subtracted. There is no gradient and no learning rate, and yet it finds a
line between two classes in finitely many mistakes whenever there is one (Novikoff 1962).
"""

import argparse
from pathlib import Path

import numpy as np

import tinytorch
from tinytorch import Tensor, nn

NEEDS = (1, 3)
GOALS = {
    "points: learned from": {"least": 1.0},  # this is the theorem; the rest is what the data allow
    "points: unseen": {"mean": 0.98, "least": 0.9},
    "0 or 2: learned from": {"least": 1.0},
    "0 or 2: unseen": {"mean": 0.985, "least": 0.94},
    "3 or 8: learned from": {"least": 1.0},
    "3 or 8: unseen": {"mean": 0.96, "least": 0.9},
}
DIGITS = Path(__file__).parents[2] / "datasets" / "digits" / "digits.csv"
EPOCHS = 100


class Perceptron(nn.Module):
    """One neuron; it begins with all weights 0, so all that it will know are the inputs it got wrong."""

    def __init__(self, features: int) -> None:
        self.score = nn.Linear(features, 1)
        self.score.weight.data[...] = 0
        self.score.bias.data[...] = 0

    def forward(self, x: Tensor) -> np.ndarray:
        """Which inputs make it fire: (N, features) -> N booleans."""
        return self.score(x).data[:, 0] > 0  # (N, 1) -> (N,)

    def correct(self, x: np.ndarray, should_fire: bool) -> None:
        """Rosenblatt's rule for one input, shape (features,), that was answered wrongly."""
        sign = 1 if should_fire else -1
        self.score.weight.data += sign * x
        self.score.bias.data += sign


def learn(x: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> tuple[Perceptron, list[int]]:
    """Show the inputs one by one until a whole epoch passes without a mistake; count the mistakes of each epoch."""
    model, mistakes = Perceptron(x.shape[1]), []
    while len(mistakes) < EPOCHS and 0 not in mistakes:
        wrong = 0
        for i in rng.permutation(len(x)):
            if model(Tensor(x[i : i + 1]))[0] != labels[i]:
                model.correct(x[i], labels[i])
                wrong += 1
        mistakes.append(wrong)
    return model, mistakes


def accuracy(model: Perceptron, x: np.ndarray, labels: np.ndarray) -> float:
    """The share of the inputs that it answers rightly."""
    return float((model(Tensor(x)) == labels).mean())


def two_clouds(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, 2) on both sides of a random line, none closer to it than 0.3, and on which side each lies."""
    points, angle = rng.normal(size=(400, 2)).astype(np.float32), rng.uniform(0, 2 * np.pi)
    distance = points @ np.float32([np.cos(angle), np.sin(angle)])
    clear = np.abs(distance) > 0.3
    return points[clear], distance[clear] > 0


def two_digits(first: int, second: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (N, 64) in [0, 1] of two kinds of digits, and which are of the second kind."""
    table = np.loadtxt(DIGITS, delimiter=",", dtype=np.float32)
    table = table[np.isin(table[:, 64], (first, second))]
    return table[:, :64] / 16, table[:, 64] == second


def run(seed: int, picture: Path | None = None) -> dict[str, float]:
    """Learn three tasks, each from 80 % of its samples; tell what came of it, and save a picture if wanted.

    Returns:
        For each task, the share answered rightly of the samples learned from, and of the 20 % that it never saw.
    """
    tasks = {"points": two_clouds(np.random.default_rng(seed)), "0 or 2": two_digits(0, 2), "3 or 8": two_digits(3, 8)}
    print(f"One neuron, with the code in {Path(tinytorch.__file__).parent}, has learned three tasks:")
    shares, lines = {}, {}
    for name, (x, labels) in tasks.items():
        rng = np.random.default_rng(seed)
        known, new = np.split(rng.permutation(len(x)), [len(x) * 4 // 5])
        lines[name], mistakes = learn(x[known], labels[known], rng)
        seen = shares[f"{name}: learned from"] = accuracy(lines[name], x[known], labels[known])
        unseen = shares[f"{name}: unseen"] = accuracy(lines[name], x[new], labels[new])
        print(
            f"  {name}: {sum(mistakes)} mistakes in {len(mistakes)} epochs; then {seen:.1%} of the {len(known)} "
            f"samples that it learned from\n    are right, and {unseen:.1%} of {len(new)} that it never saw (one is "
            f"{1 / len(new):.1%})"
        )
    perfect = all(share == 1 for name, share in shares.items() if name.endswith("learned from"))
    print(
        "The points are drawn on both sides of a line; the digits are handwriting of 8 x 8 pixels (UCI).\n"
        "The theorem of 1962 promises that a line through what was learned is found wherever there is one, and says\n"
        f"nothing of the unseen. There is one in all three tasks, and {'each' if perfect else 'NOT each'} was found."
    )
    if picture:
        draw(lines["points"], *tasks["points"], picture)
        print(f"The points, and the line that it found: {picture}")
    return shares


def draw(model: Perceptron, x: np.ndarray, labels: np.ndarray, path: Path) -> None:
    """Save a picture of the points and of the line that was found."""
    import matplotlib.pyplot as plt

    weight, bias = model.score.weight.data[0], model.score.bias.data[0]
    length = max(float(weight @ weight), 1e-9)  # a neuron that learned nothing has no line
    point = -bias * weight / length  # the one on the line that is nearest to 0
    along = np.float32([-weight[1], weight[0]]) / np.sqrt(length)
    figure, ax = plt.subplots(figsize=(5, 3))
    ax.plot(*x[labels].T, "o", markersize=3, label="should fire")
    ax.plot(*x[~labels].T, "x", markersize=4, label="should not")
    ax.plot(*np.stack([point - 5 * along, point + 5 * along]).T, "k-", label="the line learned")
    ax.set(xlabel="$x_1$", ylabel="$x_2$", xlim=(-3.5, 3.5), ylim=(-3.5, 3.5), title="1957: one neuron, one line")
    ax.legend(fontsize=7)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80, bbox_inches="tight")
    plt.close(figure)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="of the points, the split and the order (default: 0)")
    parser.add_argument("--picture", type=Path, default=Path("perceptron.png"), metavar="FILE", help="where to save it")
    options = parser.parse_args()
    run(options.seed, options.picture)
