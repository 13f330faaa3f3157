"""Checkpoint 17: can I make a trained network smaller, say what that cost, and teach a small one what it knew?

Run by `pytest tests/checkpoints/checkpoint_17_compression.py`, like the other checkpoints. The functions are those of
`tinytorch.optimization`; where an earlier version asked for pruner classes, the functional form is the API.
"""

import copy

import numpy as np
import pytest

from tinytorch import Tensor, manual_seed, nn, no_grad, optim
from tinytorch.data import Digits
from tinytorch.nn import functional as F
from tinytorch.optimization.compression import (
    KnowledgeDistillation,
    SparseLinear,
    compress_model,
    low_rank_approximate,
    magnitude_prune,
    measure_sparsity,
    structured_prune,
)


class Reader(nn.Module):
    """64 pixels, two hidden layers, 10 digits."""

    def __init__(self, wide: int, narrow: int) -> None:
        self.first, self.second = nn.Linear(64, wide), nn.Linear(wide, narrow)
        self.output = nn.Linear(narrow, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(F.relu(self.second(F.relu(self.first(x)))))


IMAGES, LABELS = (getattr(part, "data", part) for part in Digits().gather(np.arange(1797)))
PIXELS = np.asarray(IMAGES).reshape(1797, 64)
LABELS = np.asarray(LABELS)


def fit(model: nn.Module, epochs: int, loss=None) -> nn.Module:
    adam, rng = optim.AdamW(model.parameters(), lr=0.005), np.random.default_rng(0)
    for _ in range(epochs):
        for places in rng.permutation(1400).reshape(-1, 50):
            x, y = Tensor(PIXELS[places]), LABELS[places]
            adam.zero_grad()
            (loss(x, y) if loss else F.cross_entropy(model(x), y)).backward()
            adam.step()
    return model


def right(model: nn.Module) -> float:
    with no_grad():
        return float((model(Tensor(PIXELS[1400:])).argmax(axis=1) == LABELS[1400:]).mean())


@pytest.fixture(scope="module")
def trained() -> Reader:
    manual_seed(0)
    return fit(Reader(64, 32), 8)


def test_checkpoint_17_compression(trained):
    """Prune and repair, shrink, write as CSR, approximate, distil: each smaller, each still a reader of digits."""
    before = right(trained)
    assert before > 0.85

    pruned = copy.deepcopy(trained)
    magnitude_prune(pruned, sparsity=0.7)
    fit(pruned, 3)
    assert measure_sparsity(pruned) == pytest.approx(0.7, abs=1e-3)
    assert right(pruned) > before - 0.04

    thin = copy.deepcopy(trained)
    structured_prune(thin, prune_ratio=0.5, readers={"first": "second", "second": "output"})
    assert [p.shape for p in thin.parameters()] == [(32, 64), (32,), (16, 32), (16,), (10, 16), (10,)]
    assert right(fit(thin, 3)) > before - 0.06

    sparse = copy.deepcopy(trained)
    config = {"magnitude_prune": 0.8, "sparse": True}
    report = compress_model(sparse, config, evaluate=right, fine_tune=lambda model: fit(model, 3))
    assert isinstance(sparse.first, SparseLinear)
    assert report.ratio > 2.5 and report.after.accuracy > before - 0.06

    weight = trained.first.weight.data
    U, S, V = low_rank_approximate(weight, rank_ratio=0.25)
    tail = np.linalg.svd(weight, compute_uv=False)[len(S) :]
    assert np.linalg.norm(U * S @ V - weight) == pytest.approx(np.linalg.norm(tail), rel=1e-3)

    manual_seed(1)
    student = Reader(16, 16)
    pair = KnowledgeDistillation(trained, student, temperature=4.0, alpha=0.8)
    assert right(fit(student, 8, pair)) > before - 0.08
    assert sum(p.numel() for p in student.parameters()) < 0.25 * sum(p.numel() for p in trained.parameters())
