"""Random optimizers with random options on random gradients: the same path as PyTorch's."""

import numpy as np
import torch

from tinytorch import Tensor, optim
from tinytorch.nn.utils import clip_grad_norm_

SCALES = [1e-4, 1.0, 1e3]


def options(rng: np.random.Generator, name: str) -> dict:
    """Options of one optimizer, their ends included."""
    share = lambda: float(rng.choice([0.0, 0.5, 0.9, 0.99]))  # noqa: E731
    found = {"lr": float(10 ** rng.uniform(-3, -1)), "weight_decay": float(rng.choice([0.0, 0.01, 0.3]))}
    if name == "SGD":
        found["momentum"] = share()
        found["nesterov"] = bool(found["momentum"] and rng.integers(2))
    elif name == "RMSprop":
        found |= {"alpha": share(), "eps": 1e-6}
    else:
        found |= {"betas": (share(), share()), "eps": 1e-6}
    return found


def run(seed: int) -> None:
    """One case: two parameters, one to eight steps, some of them with clipped or missing gradients.

    Raises:
        AssertionError: a parameter differs.
    """
    rng = np.random.default_rng(seed)
    name = str(rng.choice(["SGD", "RMSprop", "Adam", "AdamW"]))
    shapes = [(3,), (2, 4)]
    starts = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
    ours = [Tensor(x, requires_grad=True) for x in starts]
    theirs = [torch.tensor(x, requires_grad=True) for x in starts]
    chosen = options(rng, name)
    mine, other = getattr(optim, name)(ours, **chosen), getattr(torch.optim, name)(theirs, **chosen)
    for _ in range(int(rng.integers(1, 9))):
        mine.zero_grad()
        other.zero_grad()
        for p, q in zip(ours, theirs, strict=True):
            if rng.integers(5):
                g = (rng.normal(size=p.shape) * rng.choice(SCALES)).astype(np.float32)
                p.grad, q.grad = g.copy(), torch.tensor(g)
        if rng.integers(3) == 0 and any(p.grad is not None for p in ours):
            length = clip_grad_norm_(ours, 1.0)
            np.testing.assert_allclose(length, torch.nn.utils.clip_grad_norm_(theirs, 1.0).item(), rtol=1e-4)
        mine.step()
        other.step()
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=1e-4, atol=1e-5)
