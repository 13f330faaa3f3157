"""A small GPT on random text: a training step, a step by depth, and generation without a cache.

`python -m benchmarks.gpt` prints milliseconds per layer of forward and backward for 1 to 16 layers.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.contenders import torch_or_none
from benchmarks.harness import Steps, Workload
from benchmarks.table import machine
from tinytorch.core.tensor import keep_freed_memory
from tinytorch.models import GPT
from tinytorch.nn import functional as F
from tinytorch.optim import AdamW

LR = 1e-5  # small: the weights hardly move, so every round does the same work
V, T, C, L, H, B = 65, 128, 128, 4, 4, 16  # vocabulary, context, d_model, layers, heads, batch


def twin(torch: Any, layers: int) -> Any:
    """The same network in PyTorch, with the same names: fused attention, one product for q, k and v, a tied head."""
    N, P = torch.nn, torch.nn.functional

    class Attention(N.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.in_proj_weight, self.in_proj_bias = (N.Parameter(torch.empty(*s)) for s in ((3 * C, C), (3 * C,)))
            self.out_proj = N.Linear(C, C)

        def forward(self, x: Any) -> Any:
            n, t = x.shape[:2]
            packed = P.linear(x, self.in_proj_weight, self.in_proj_bias).split(C, dim=2)
            q, k, v = (part.view(n, t, H, C // H).transpose(1, 2) for part in packed)  # (B, H, T, d)
            y = P.scaled_dot_product_attention(q, k, v, is_causal=True)
            return self.out_proj(y.transpose(1, 2).reshape(n, t, C))

    class FeedForward(N.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.up, self.down = N.Linear(C, 4 * C), N.Linear(4 * C, C)

        def forward(self, x: Any) -> Any:
            return self.down(P.gelu(self.up(x), approximate="tanh"))

    class Block(N.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.attention = N.LayerNorm(C), Attention()
            self.norm2, self.feed_forward = N.LayerNorm(C), FeedForward()

        def forward(self, x: Any) -> Any:
            x = x + self.attention(self.norm1(x))
            return x + self.feed_forward(self.norm2(x))

    class Positions(N.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.table = N.Parameter(torch.empty(T, C))

        def forward(self, x: Any) -> Any:
            return x + self.table[: x.shape[1]]

    class Twin(N.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.positions = N.Embedding(V, C), Positions()
            self.blocks = N.ModuleList([Block() for _ in range(layers)])
            self.norm = N.LayerNorm(C)

        def forward(self, ids: Any) -> Any:
            x = self.positions(self.embedding(ids))
            for block in self.blocks:
                x = block(x)
            return P.linear(self.norm(x), self.embedding.weight)

    return Twin()


def both(layers: int = L) -> tuple[GPT, Any, Any]:
    """Our model, and PyTorch with its model of the same weights, or None and None."""
    keep_freed_memory()
    model, torch = GPT(V, T, C, layers, H, seed=0), torch_or_none()
    theirs = twin(torch, layers) if torch else None
    if torch:
        theirs.load_state_dict({path: torch.tensor(array) for path, array in model.state_dict().items()})
    return model, torch, theirs


def text(batch: int = B) -> tuple[np.ndarray, np.ndarray]:
    """Random ids, and what follows each."""
    ids = np.random.default_rng(0).integers(0, V, size=(batch, T + 1))
    return ids[:, :-1], ids[:, 1:]


def our_step(model: GPT, batch: int = B) -> Callable[[], float]:
    """Forward, loss, backward, AdamW."""
    (ids, target), optimizer = text(batch), AdamW(model.parameters(), lr=LR)

    def step() -> float:
        loss = F.cross_entropy(model(ids), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def torch_step(torch: Any, model: Any, batch: int = B) -> Callable[[], float]:
    """The same in PyTorch."""
    ids, target = (torch.tensor(part) for part in text(batch))
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR)

    def step() -> float:
        loss = torch.nn.functional.cross_entropy(model(ids).flatten(0, 1), target.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def train(layers: int = L) -> Steps:
    """One training step."""
    model, torch, theirs = both(layers)
    steps: Steps = {"tinytorch": our_step(model)}
    if torch:
        steps["torch"] = torch_step(torch, theirs)
    return steps


def generate() -> Steps:
    """127 greedy tokens after one, each from the whole text so far."""
    model, torch, theirs = both()
    steps: Steps = {"tinytorch": lambda: float(model.generate([0], T - 1, temperature=0).sum())}
    if torch:

        def run_torch() -> float:
            ids = torch.zeros((1, 1), dtype=torch.long)
            with torch.no_grad():
                for _ in range(T - 1):
                    ids = torch.cat([ids, theirs(ids)[:, -1].argmax(dim=-1, keepdim=True)], dim=1)
            return float(ids.sum())

        steps["torch"] = run_torch
    return steps


def per_layer(rounds: int = 9) -> None:
    """Print the milliseconds per layer of forward and backward, by depth."""
    print(machine())
    for layers in (1, 2, 4, 8, 16):
        steps = train(layers)
        taken: dict[str, list[float]] = {name: [] for name in steps}
        for _ in range(rounds + 1):
            for name, step in steps.items():
                start = time.process_time()
                step()
                taken[name].append((time.process_time() - start) * 1e3)
        medians = {name: statistics.median(times[1:]) / layers for name, times in taken.items()}
        print(f"{layers:2} layers:", ", ".join(f"{name} {ms:.1f} ms per layer" for name, ms in medians.items()))


WORKLOADS = [
    Workload("GPT, 4 layers of 128, 16 x 128 tokens, train step", 0.95, train, rounds=15),
    Workload("GPT, 127 tokens without a cache", 1.0, generate, rounds=7),
]

if __name__ == "__main__":
    per_layer()
