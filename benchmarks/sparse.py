"""A linear layer of 1024 x 1024 weights, 95 % of them pruned, on 64 samples: only what is there, against all of it.

The rows divide by our own dense layer, masked: what pruning is worth once the zeros are gone. Beside them PyTorch's CSR
matrix and its dense layer. The first row takes SciPy's loop where SciPy is installed, the second never does.
"""

import warnings

import numpy as np

from benchmarks.contenders import torch_or_none
from benchmarks.harness import Steps, Workload
from tinytorch import Tensor, no_grad
from tinytorch.core.layers import Linear
from tinytorch.optimization.compression import SparseLinear, magnitude_prune, structured_prune

SIZE, SAMPLES, SPARSITY = 1024, 64, 0.95


def csr(engine: str | None) -> Steps:
    """The masked layer, ours in CSR, and PyTorch's CSR and dense products of the same weight."""
    dense = magnitude_prune(Linear(SIZE, SIZE), SPARSITY)
    sparse, x = SparseLinear.from_linear(dense, engine), Tensor(np.random.default_rng(0).normal(size=(SAMPLES, SIZE)))

    def run(layer: Linear | SparseLinear) -> float:
        with no_grad():
            return float(np.abs(layer(x).data).sum())

    steps: Steps = {"tinytorch": lambda: run(sparse), "dense": lambda: run(dense)}
    if torch := torch_or_none():
        weight, bias, theirs = (torch.tensor(a) for a in (dense.weight.data, dense.bias.data, x.data))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch calls its CSR a beta
            rows = weight.to_sparse_csr()
        steps["torch CSR"] = lambda: float(((rows @ theirs.T).T + bias).abs().sum())
        steps["torch dense"] = lambda: float(torch.nn.functional.linear(theirs, weight, bias).abs().sum())
    return steps


def fewer_units() -> Steps:
    """A layer and its reader, half of the units between them removed, against the same half masked."""
    first, second = Linear(SIZE, SIZE), Linear(SIZE, SIZE)
    masked = structured_prune(first, 0.5)
    kept = masked.weight.data.any(axis=1)
    thin, reader = Linear(SIZE, SIZE // 2), Linear(SIZE // 2, SIZE)
    thin.weight.data[...], thin.bias.data[...] = masked.weight.data[kept], masked.bias.data[kept]
    reader.weight.data[...], reader.bias.data[...] = second.weight.data[:, kept], second.bias.data
    x = Tensor(np.random.default_rng(0).normal(size=(SAMPLES, SIZE)))

    def run(one: Linear, other: Linear) -> float:
        with no_grad():
            return float(np.abs(other(one(x)).data).sum())

    return {"tinytorch": lambda: run(thin, reader), "dense": lambda: run(masked, second)}


NAME = f"linear 1024 x 1024, {SPARSITY:.0%} pruned, batch {SAMPLES}, CSR"
WORKLOADS = [
    Workload(NAME, 0.35, lambda: csr(None), rounds=60, against="dense"),
    Workload(f"{NAME}, NumPy only", None, lambda: csr("numpy"), rounds=60, against="dense"),
    Workload("two such layers, half of the units removed", 0.6, fewer_units, rounds=60, against="dense"),
]
