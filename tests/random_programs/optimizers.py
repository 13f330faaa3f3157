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
    """One case: two parameters, one to eight steps, some with clipped or missing gradients.

    The reference is PyTorch in float64; where a step divides by next to nothing, its float32 says how hard the case is.

    Raises:
        AssertionError: a parameter differs.
    """
    rng = np.random.default_rng(seed)
    name = str(rng.choice(["SGD", "RMSprop", "Adam", "AdamW"]))
    starts = [rng.normal(size=shape).astype(np.float32) for shape in ((3,), (2, 4))]
    chosen = options(rng, name)
    ours = [Tensor(x, requires_grad=True) for x in starts]
    mine = getattr(optim, name)(ours, **chosen)
    theirs = [
        [torch.tensor(x, dtype=kind, requires_grad=True) for x in starts] for kind in (torch.float64, torch.float32)
    ]
    others = [getattr(torch.optim, name)(parameters, **chosen) for parameters in theirs]
    for _ in range(int(rng.integers(1, 9))):
        for optimizer in (mine, *others):
            optimizer.zero_grad()
        for place, p in enumerate(ours):
            if rng.integers(5):
                g = (rng.normal(size=p.shape) * rng.choice(SCALES)).astype(np.float32)
                p.grad = g.copy()
                for parameters in theirs:
                    parameters[place].grad = torch.tensor(g, dtype=parameters[place].dtype)
        if rng.integers(3) == 0 and any(p.grad is not None for p in ours):
            lengths = [torch.nn.utils.clip_grad_norm_(parameters, 1.0).item() for parameters in theirs]
            np.testing.assert_allclose(clip_grad_norm_(ours, 1.0), lengths[0], rtol=1e-4)
        for optimizer in (mine, *others):
            optimizer.step()
    for p, exact, rounded in zip(ours, *theirs, strict=True):
        hard = np.abs(rounded.detach().numpy() - exact.detach().numpy())
        np.testing.assert_array_less(np.abs(p.data - exact.detach().numpy()), 1e-5 + 1e-4 * np.abs(p.data) + 30 * hard)
