"""Random graphs of operations, with writes between them: values and gradients as in PyTorch in float64."""

from typing import Any

import numpy as np
import torch

from tinytorch import Tensor, cat, maximum, no_grad, stack, where
from tinytorch.nn import functional as F

SHAPES = [(2, 3), (3,), (1, 3), (2, 1), (), (4, 2, 3), (0, 3)]
UNARY = {
    "tanh": (F.tanh, torch.tanh),
    "sigmoid": (F.sigmoid, torch.sigmoid),
    "relu": (F.relu, torch.relu),
    "gelu": (F.gelu, lambda x: torch.nn.functional.gelu(x, approximate="tanh")),
    "neg": (lambda x: -x,) * 2,
    "square": (lambda x: x**2,) * 2,
    "abs": (abs,) * 2,
    "exp": (lambda x: (x * 0.1).exp(),) * 2,
    "log": (lambda x: (x * x + 1).log(),) * 2,
    "sqrt": (lambda x: (x * x + 1).sqrt(),) * 2,
    "clamp": (lambda x: x.clamp(-1.2, 1.3),) * 2,
    "transpose": (lambda x: x.T if x.ndim == 2 else x.unsqueeze(0),) * 2,
    "view": (lambda x: x.reshape(-1),) * 2,
    "unsqueeze": (lambda x: x.unsqueeze(dim=-1),) * 2,
    "squeeze": (lambda x: x.squeeze(),) * 2,
    "norm": (lambda x: x.norm(),) * 2,
}
BINARY = {
    "add": (lambda x, y: x + y,) * 2,
    "sub": (lambda x, y: x - y,) * 2,
    "mul": (lambda x, y: x * y,) * 2,
    "div": (lambda x, y: x / (y * y + 1),) * 2,
    "maximum": (maximum, torch.maximum),
    "where": (lambda x, y: where(x.data > 0, x, y), lambda x, y: torch.where(x > 0, x, y)),
    "array": (lambda x, y: x * y.numpy(), lambda x, y: x * y.detach()),
}


def broadcast(x: Any, y: Any) -> bool:
    """Whether two shapes fit, and stay small."""
    try:
        return np.prod(np.broadcast_shapes(tuple(x.shape), tuple(y.shape))) < 200
    except ValueError:
        return False


def step(rng: np.random.Generator, pool: list[tuple[Any, Any]]) -> tuple[Any, Any]:
    """One operation on what there is, in both libraries."""
    (x, a), (y, b) = (pool[rng.integers(len(pool))] for _ in range(2))
    kind = rng.integers(6)
    if kind < 2 and broadcast(x, y):
        ours, theirs = BINARY[str(rng.choice([*BINARY]))]
        return ours(x, y), theirs(a, b)
    if kind == 2 and x.ndim:
        axis, keep = int(rng.integers(-x.ndim, x.ndim)), bool(rng.integers(2))
        name = str(rng.choice(["sum", "mean", "softmax"] if x.shape[axis] else ["sum"]))
        if name == "softmax":
            return F.softmax(x, axis), torch.softmax(a, axis)
        return getattr(x, name)(dim=axis, keepdim=keep), getattr(a, name)(dim=axis, keepdim=keep)
    if kind == 3 and x.ndim and x.shape[0]:
        key = [0, slice(None, None, 2), [0, 0, -1], (..., slice(0, 1))][rng.integers(4)]
        return x[key], a[key]
    if kind == 4 and x.shape == y.shape and x.numel() < 100:
        axis = int(rng.integers(0, x.ndim + 1))
        return (cat([x, y], axis), torch.cat([a, b], axis)) if axis < x.ndim else (stack([x, y]), torch.stack([a, b]))
    if kind == 5 and x.ndim == 2 and x.shape[0]:
        return x @ x.T, a @ a.T
    ours, theirs = UNARY[str(rng.choice([*UNARY]))]
    return ours(x), theirs(a)


def run(seed: int) -> None:
    """One case: leaves, operations, a loss, gradients; arrays are looked at and written to on the way.

    Raises:
        AssertionError: a value or a gradient differs.
    """
    rng = np.random.default_rng(seed)
    values = [rng.uniform(-1.5, 1.5, size=shape).astype(np.float32) for shape in SHAPES]
    learned = [bool(rng.integers(3)) for _ in SHAPES]
    ours = [Tensor(x, requires_grad=g) for x, g in zip(values, learned, strict=True)]
    theirs = [torch.tensor(x, dtype=torch.float64, requires_grad=g) for x, g in zip(values, learned, strict=True)]
    views = [x.data[...] for x in ours if rng.integers(3) == 0]
    pool = list(zip(ours, theirs, strict=True))
    for _ in range(int(rng.integers(3, 12))):
        pool.append(step(rng, pool))
    for x, a in pool:
        assert x.shape == tuple(a.shape)
        np.testing.assert_allclose(x.data, a.detach().numpy(), rtol=2e-4, atol=2e-5)
    loss = sum(((x * x).sum() * 0.1 for x, _ in pool[-6:]), start=Tensor(0.0))
    other = sum((a * a).sum() * 0.1 for _, a in pool[-6:])
    for view in views:
        if view.flags.writeable:
            view[...] = 100
    if loss.requires_grad:
        loss.backward()
        other.backward()
    for x, a in zip(ours, theirs, strict=True):
        assert (x.grad is None) == (a.grad is None)
        if a.grad is not None:
            scale = max(1.0, float(a.grad.abs().max())) if a.numel() else 1.0
            np.testing.assert_allclose(x.grad / scale, a.grad.numpy() / scale, rtol=1e-3, atol=1e-4)
    with no_grad():
        assert not (ours[0] * 2).requires_grad
