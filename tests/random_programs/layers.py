"""Random networks of random layers and losses: outputs and gradients as in PyTorch."""

import copy
from typing import Any

import numpy as np
import torch
import torch.nn as T

from tinytorch import Tensor, manual_seed, nn


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


def copy_weights(mine: Any, other: Any) -> None:
    other.load_state_dict({k: torch.tensor(v) for k, v in mine.state_dict().items()}, strict=False)


def pytorch(model: Any, loss: Any, images: np.ndarray, y: np.ndarray, dtype: Any) -> tuple[Any, Any, list[np.ndarray]]:
    """Output, loss and gradients of a copy of the model in another precision."""
    model, x = copy.deepcopy(model).to(dtype), torch.tensor(images, dtype=dtype, requires_grad=True)
    out = model(x)
    result = loss(out, torch.tensor(y) if y.dtype.kind == "i" else torch.tensor(y, dtype=dtype))
    result.sum().backward()
    return out.detach().numpy(), result.detach().numpy(), [p.grad.numpy() for p in (x, *model.parameters())]


def run(seed: int) -> None:
    """One case: images through one to three layers, a linear layer, a loss.

    The reference is PyTorch in float64. Where float32 is hard (a bias before a batch norm has gradient 0, a small
    variance magnifies rounding) PyTorch's own float32 says how hard.

    Raises:
        AssertionError: an output or a gradient differs.
    """
    rng = np.random.default_rng(seed)
    manual_seed(seed)
    channels = int(rng.integers(1, 4))
    images = rng.normal(size=(int(rng.integers(2, 4)), channels, 8, 8)).astype(np.float32)
    x = Tensor(images, requires_grad=True)
    h, ours, theirs = x, [], []
    for _ in range(int(rng.integers(1, 4))):
        make = [convolution, pooling, normalisation][rng.integers(3)]
        if min(h.shape[2:]) < 6 and make is not normalisation:
            break
        mine, other = make(rng, h.shape[1])
        copy_weights(mine, other)
        h, ours, theirs = mine(h), [*ours, mine], [*theirs, other]
    classes = int(rng.integers(2, 5))
    h = h.flatten(1)
    mine, other = nn.Linear(h.shape[1], classes), T.Linear(h.shape[1], classes)
    copy_weights(mine, other)
    h, ours, theirs = mine(h), [*ours, mine], [*theirs, T.Flatten(), other]
    kind, twin, target = LOSSES[rng.integers(3)]
    options: dict[str, Any] = {"reduction": str(rng.choice(["mean", "sum", "none"]))}
    y = {
        "labels": rng.integers(0, classes, len(images)),
        "real": rng.normal(size=h.shape).astype(np.float32),
        "share": rng.random(h.shape).astype(np.float32),
    }[target]
    if target == "labels" and rng.integers(2):
        options["label_smoothing"] = float(rng.random())
    loss = kind(**options)(h, y)
    loss.sum().backward()
    gradients = [p.grad for p in (x, *(p for part in ours for p in part.parameters()))]
    model = T.Sequential(*theirs)
    exact = pytorch(model, twin(**options), images, y, torch.float64)
    rounded = pytorch(model, twin(**options), images, y, torch.float32)
    got, wanted, single = ([a, b, *more] for a, b, more in ((h.data, loss.data, gradients), exact, rounded))
    for mine, reference, other in zip(got, wanted, single, strict=True):
        scale = max(1.0, float(np.abs(reference).max()))
        hard = float(np.abs(other - reference).max())
        np.testing.assert_allclose(mine, reference, rtol=1e-3, atol=1e-4 * scale + 100 * hard)
