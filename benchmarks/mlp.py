"""Training steps of two multilayer perceptrons: forward, backward and a plain gradient-descent update."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from benchmarks.contenders import mygrad_or_none, torch_or_none
from benchmarks.harness import Steps, Workload
from tinytorch import Tensor
from tinytorch.nn import Linear, Module
from tinytorch.nn import functional as F

LR = 1e-4  # small: the weights hardly move, so every round does the same work


class MLP(Module):
    """Linear layers with ReLU between them."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self.layers = [Linear(m, n) for m, n in pairwise(sizes)]

    def forward(self, x: Tensor) -> Tensor:
        """(B, sizes[0]) -> (B, sizes[-1])"""
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return self.layers[-1](x)


def train_step(sizes: Sequence[int], batch: int) -> Steps:
    """One step on random data, from the same weights for every contender."""
    rng = np.random.default_rng(0)
    pixels = rng.normal(size=(batch, sizes[0])).astype(np.float32)
    labels = rng.integers(0, sizes[-1], size=batch)
    model = MLP(sizes)
    start, ours = model.state_dict(), model.parameters()
    x = Tensor(pixels)

    def tinytorch() -> float:
        loss = F.cross_entropy(model(x), labels)
        loss.backward()
        for p in ours:
            p.data -= np.float32(LR) * p.grad
            p.grad = None
        return loss.item()

    steps: Steps = {"tinytorch": tinytorch}
    if torch := torch_or_none():
        theirs = [torch.nn.Linear(m, n) for m, n in pairwise(sizes)]
        for i, layer in enumerate(theirs):
            layer.load_state_dict({k: torch.tensor(start[f"layers.{i}.{k}"]) for k in ("weight", "bias")})
        parameters = [p for layer in theirs for p in layer.parameters()]
        torch_x, torch_y = torch.tensor(pixels), torch.tensor(labels)

        def run_torch() -> float:
            h = torch_x
            for layer in theirs[:-1]:
                h = torch.relu(layer(h))
            loss = torch.nn.functional.cross_entropy(theirs[-1](h), torch_y)
            loss.backward()
            with torch.no_grad():
                for p in parameters:
                    p -= LR * p.grad
                    p.grad = None
            return loss.item()

        steps["torch"] = run_torch
    if mygrad := mygrad_or_none():
        from mygrad.nnet.activations import relu
        from mygrad.nnet.losses import softmax_crossentropy

        weights = [
            (mygrad.tensor(start[f"layers.{i}.weight"].T.copy()), mygrad.tensor(start[f"layers.{i}.bias"]))
            for i in range(len(sizes) - 1)
        ]

        def run_mygrad() -> float:
            h = pixels
            for w, b in weights[:-1]:
                h = relu(mygrad.matmul(h, w) + b)
            w, b = weights[-1]
            loss = softmax_crossentropy(mygrad.matmul(h, w) + b, labels)
            loss.backward()
            for pair in weights:
                for p in pair:
                    p.data -= np.float32(LR) * p.grad
                    p.null_grad()
            return float(loss)

        steps["mygrad"] = run_mygrad
    return steps


SMALL, LARGE = (784, 128, 10), (784, 1024, 1024, 10)
WORKLOADS = [
    Workload("MLP 784-128-10, batch 64, train step", 0.75, lambda: train_step(SMALL, 64), rounds=300),
    Workload("MLP 784-1024-1024-10, batch 256, train step", 0.85, lambda: train_step(LARGE, 256), rounds=20),
]
