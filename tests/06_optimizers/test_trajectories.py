"""A hundred steps of every optimizer go where PyTorch's go: against stored numbers, and against torch if installed.

`python tests/06_optimizers/test_trajectories.py --regenerate` asks torch for the stored numbers again.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinytorch  # noqa: F401 - switches recording on
from tinytorch.core import optimizers
from tinytorch.core.activations import tanh
from tinytorch.core.layers import linear
from tinytorch.core.losses import mse_loss
from tinytorch.core.tensor import Tensor

GOLDEN = Path(__file__).parent / "golden/trajectories.json"
STEPS = (1, 10, 100)  # the steps after which the parameters are compared
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd": ("SGD", {"lr": 0.1}),
    "sgd-decay": ("SGD", {"lr": 0.1, "weight_decay": 0.1}),
    "sgd-momentum": ("SGD", {"lr": 0.05, "momentum": 0.9}),
    "sgd-nesterov": ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    "sgd-nesterov-decay": ("SGD", {"lr": 0.05, "momentum": 0.8, "nesterov": True, "weight_decay": 0.05}),
    "rmsprop": ("RMSprop", {}),
    "rmsprop-options": ("RMSprop", {"lr": 0.005, "alpha": 0.9, "eps": 1e-3, "weight_decay": 0.1}),
    "adam": ("Adam", {}),
    "adam-options": ("Adam", {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1}),
    "adamw": ("AdamW", {}),
    "adamw-options": ("AdamW", {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.5}),
}


def problem() -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Start values of a 3-4-2 network with tanh, inputs and targets."""
    rng = np.random.default_rng(0)
    start = [rng.normal(size=shape).astype(np.float32) for shape in ((4, 3), (4,), (2, 4), (2,))]
    return start, rng.normal(size=(16, 3)).astype(np.float32), rng.normal(size=(16, 2)).astype(np.float32)


def travel(kind: str, options: dict[str, Any]) -> dict[str, list[float]]:
    """All parameters, one after the other, after each of STEPS."""
    start, x, y = problem()
    w1, b1, w2, b2 = params = [Tensor(p, requires_grad=True) for p in start]
    optimizer = getattr(optimizers, kind)(params, **options)
    seen = {}
    for step in range(1, max(STEPS) + 1):
        optimizer.zero_grad()
        mse_loss(linear(tanh(linear(Tensor(x), w1, b1)), w2, b2), Tensor(y)).backward()
        optimizer.step()
        if step in STEPS:
            seen[str(step)] = [float(value) for p in params for value in p.data.reshape(-1)]
    return seen


def travel_torch(kind: str, options: dict[str, Any]) -> dict[str, list[float]]:
    """The same journey in PyTorch."""
    import torch

    start, x, y = (torch.tensor(a) if isinstance(a, np.ndarray) else a for a in problem())
    w1, b1, w2, b2 = params = [torch.tensor(p, requires_grad=True) for p in start]
    optimizer = getattr(torch.optim, kind)(params, **options)
    seen = {}
    for step in range(1, max(STEPS) + 1):
        optimizer.zero_grad()
        guess = torch.nn.functional.linear(torch.tanh(torch.nn.functional.linear(x, w1, b1)), w2, b2)
        torch.nn.functional.mse_loss(guess, y).backward()
        optimizer.step()
        if step in STEPS:
            seen[str(step)] = [float(value) for p in params for value in p.detach().reshape(-1)]
    return seen


def compare(got: dict[str, list[float]], expected: dict[str, list[float]]) -> None:
    assert got.keys() == expected.keys()
    for step in got:
        np.testing.assert_allclose(got[step], expected[step], rtol=0, atol=1e-5, err_msg=f"after {step} steps")


@pytest.mark.parametrize("case", CASES)
def test_stored_numbers_of_pytorch(case):
    compare(travel(*CASES[case]), json.loads(GOLDEN.read_text(encoding="utf-8"))[case])


@pytest.mark.parametrize("case", CASES)
def test_pytorch_itself(case):
    pytest.importorskip("torch")
    compare(travel(*CASES[case]), travel_torch(*CASES[case]))


@pytest.mark.parametrize("kind", ["SGD", "RMSprop", "Adam", "AdamW"])
def test_defaults_are_those_of_pytorch(kind):
    torch = pytest.importorskip("torch")
    theirs = getattr(torch.optim, kind)([torch.zeros(1, requires_grad=True)]).defaults
    ours = getattr(optimizers, kind)([Tensor([0.0], requires_grad=True)]).defaults
    assert ours == {name: theirs[name] for name in ours}


if __name__ == "__main__":
    if sys.argv[1:] != ["--regenerate"]:
        sys.exit(__doc__)
    rounded = {
        case: {step: [round(value, 7) for value in values] for step, values in travel_torch(*arguments).items()}
        for case, arguments in CASES.items()
    }
    lines = [f'  "{case}": {json.dumps(seen)}' for case, seen in rounded.items()]
    GOLDEN.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
