"""Random networks of random layers and losses: outputs and gradients as in PyTorch."""

from typing import Any

import numpy as np
import torch
import torch.nn as T

from tinytorch import Tensor, nn


def pair(rng: np.random.Generator, low: int, high: int) -> tuple[int, int]:
    return tuple(int(n) for n in rng.integers(low, high, size=2))


def convolution(rng: np.random.Generator, channels: int) -> tuple[Any, Any]:
    """A convolution with options that fit on 8 x 8 pixels."""
    groups = int(rng.choice([g for g in (1, 2, 3) if channels % g == 0]))
    out = groups * int(rng.integers(1, 4))
    options = {
        "kernel_size": pair(rng, 1, 4),
        "stride": pair(rng, 1, 3),
        "padding": pair(rng, 1, 3),
        "dilation": pair(rng, 1, 3),
        "groups": groups,
        "bias": bool(rng.integers(2)),
    }
    return nn.Conv2d(channels, out, **options), T.Conv2d(channels, out, **options)


def pooling(rng: np.random.Generator, channels: int) -> tuple[Any, Any]:
    kernel, stride = int(rng.integers(2, 4)), int(rng.integers(1, 4))
    name = str(rng.choice(["MaxPool2d", "AvgPool2d"]))
    return getattr(nn, name)(kernel, stride, padding=1), getattr(T, name)(kernel, stride, padding=1)


def normalisation(rng: np.random.Generator, channels: int) -> tuple[Any, Any]:
    return nn.BatchNorm2d(channels), T.BatchNorm2d(channels)


LOSSES = [
    (nn.CrossEntropyLoss, T.CrossEntropyLoss, "labels"),
    (nn.MSELoss, T.MSELoss, "real"),
    (nn.BCEWithLogitsLoss, T.BCEWithLogitsLoss, "share"),
]


def copy_weights(ours: list[Any], theirs: list[Any]) -> None:
    for mine, other in zip(ours, theirs, strict=True):
        if isinstance(mine, nn.Module):
            other.load_state_dict({k: torch.tensor(v) for k, v in mine.state_dict().items()}, strict=False)


def run(seed: int) -> None:
    """One case: images through one to three layers, a linear layer, a loss with a random reduction.

    Raises:
        AssertionError: an output or a gradient differs.
    """
    rng = np.random.default_rng(seed)
    channels = int(rng.integers(1, 4))
    images = rng.normal(size=(int(rng.integers(2, 4)), channels, 8, 8)).astype(np.float32)
    x, a = Tensor(images, requires_grad=True), torch.tensor(images, requires_grad=True)
    h, b, ours, theirs = x, a, [], []
    for _ in range(int(rng.integers(1, 4))):
        make = [convolution, pooling, normalisation][rng.integers(3)]
        if min(h.shape[2:]) < 6 and make is not normalisation:
            break
        mine, other = make(rng, h.shape[1])
        copy_weights([mine], [other])
        h, b = mine(h), other(b)
        ours, theirs = [*ours, mine], [*theirs, other]
    classes = int(rng.integers(2, 5))
    h, b = h.flatten(1), b.flatten(1)
    mine, other = nn.Linear(h.shape[1], classes), T.Linear(h.shape[1], classes)
    copy_weights([mine], [other])
    h, b, ours, theirs = mine(h), other(b), [*ours, mine], [*theirs, other]
    np.testing.assert_allclose(h.data, b.detach().numpy(), rtol=1e-3, atol=1e-4)
    kind, twin, target = LOSSES[rng.integers(3)]
    options = {"reduction": str(rng.choice(["mean", "sum", "none"]))}
    y = {
        "labels": rng.integers(0, classes, len(images)),
        "real": rng.normal(size=h.shape),
        "share": rng.random(h.shape),
    }[target]
    if target == "labels" and rng.integers(2):
        options["label_smoothing"] = float(rng.random())
    y = y if target == "labels" else y.astype(np.float32)
    loss, expected = kind(**options)(h, y), twin(**options)(b, torch.tensor(y))
    np.testing.assert_allclose(loss.data, expected.detach().numpy(), rtol=1e-3, atol=1e-4)
    loss.sum().backward()
    expected.sum().backward()
    learned = [p for part in ours if isinstance(part, nn.Module) for p in part.parameters()]
    others = [p for part in theirs for p in part.parameters()]
    for p, q in zip([x, *learned], [a, *others], strict=True):
        scale = max(1.0, float(q.grad.abs().max()))
        np.testing.assert_allclose(p.grad / scale, q.grad.numpy() / scale, rtol=2e-3, atol=2e-4)
