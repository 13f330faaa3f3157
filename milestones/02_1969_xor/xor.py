"""1969: XOR (Minsky and Papert, *Perceptrons*, 1969; Rumelhart, Hinton and Williams, 1986).

No straight line separates (0,0), (1,1) from (0,1), (1,0): whatever a single layer does, at least one of the four is
wrong. A second layer, trained by gradient descent through the first, gets them all.

    python xor.py --seed 0 [--figures FOLDER]
"""

import argparse
from pathlib import Path

import numpy as np

from tinytorch import Tensor, manual_seed, nn, no_grad
from tinytorch.nn import functional as F
from tinytorch.optim import Adam

NEEDS = (1, 2, 3, 4, 5, 6)
INPUTS = Tensor([[0, 0], [0, 1], [1, 0], [1, 1]])
ANSWERS = Tensor([0, 1, 1, 0])
STEPS = 1500


class OneLayer(nn.Module):
    """A single neuron."""

    def __init__(self) -> None:
        self.output = nn.Linear(2, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 2) -> N logits."""
        return self.output(x).squeeze(1)


class TwoLayers(nn.Module):
    """Eight hidden neurons between the inputs and the answer."""

    def __init__(self) -> None:
        self.hidden = nn.Linear(2, 8)
        self.output = nn.Linear(8, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 2) -> N logits."""
        h = F.tanh(self.hidden(x))  # (N, 8)
        return self.output(h).squeeze(1)


def train_model(model: nn.Module) -> tuple[float, float]:
    """Return the share of the four that is right after training, and the last loss."""
    adam = Adam(model.parameters(), lr=0.02)
    for _ in range(STEPS):
        loss = F.binary_cross_entropy_with_logits(model(INPUTS), ANSWERS)
        adam.zero_grad()
        loss.backward()
        adam.step()
    with no_grad():
        says = model(INPUTS) > 0
    return float((says == (ANSWERS > 0.5)).mean()), loss.item()


def run(seed: int) -> dict[str, float]:
    """Train both models from the same seed."""
    result = {}
    for model_class in (OneLayer, TwoLayers):
        manual_seed(seed)
        right, loss = train_model(model_class())
        result[model_class.__name__] = right
        result[f"{model_class.__name__} loss"] = loss
    return result


def draw(seed: int, folder: Path) -> None:
    """What the two models answer everywhere in the unit square."""
    import matplotlib.pyplot as plt

    steps = np.linspace(-0.3, 1.3, 60)
    grid = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    figure, axes = plt.subplots(1, 2, figsize=(7, 3), sharey=True)
    for ax, model_class in zip(axes, (OneLayer, TwoLayers), strict=True):
        manual_seed(seed)
        model = model_class()
        train_model(model)
        with no_grad():
            p = F.sigmoid(model(Tensor(grid))).numpy().reshape(60, 60)
        shades = ax.contourf(steps, steps, p, levels=np.linspace(0, 1, 11), cmap="cividis")
        for (x, y), answer in zip(INPUTS.numpy(), ANSWERS.numpy(), strict=True):
            ax.text(x, y, f"{answer:.0f}", ha="center", va="center", bbox={"facecolor": "white", "boxstyle": "circle"})
        ax.set(xlabel="$x_1$", title=model_class.__name__)
    axes[0].set_ylabel("$x_2$")
    figure.colorbar(shades, ax=axes, label="probability of a 1")
    figure.savefig(folder / "xor.png", dpi=110, bbox_inches="tight")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--figures", type=Path, help="save a picture into this folder")
    options = parser.parse_args()
    print(run(options.seed))
    if options.figures:
        draw(options.seed, options.figures)
