"""A linear layer of 1,024 x 1,024 whose weights and inputs are int8, against the same layer in float32.

`python -m benchmarks.quantization` prints where the time of a call goes, and the bytes of both layers.
"""

import time
from statistics import median

import numpy as np

from benchmarks.harness import Steps, Workload
from benchmarks.table import machine
from tinytorch.core.autograd import no_grad
from tinytorch.core.tensor import Tensor, keep_freed_memory, manual_seed
from tinytorch.nn import Linear
from tinytorch.optimization.quantization import (
    QuantizedLinear,
    compare_model_sizes,
    int8_linear,
    int8_matmul,
    on_grid,
)

SIZE = 1024
BATCHES = (64, 256)


def layers(batch: int) -> tuple[Linear, QuantizedLinear, Tensor]:
    """The layer in float32, in int8, and inputs."""
    keep_freed_memory()
    manual_seed(0)
    layer = Linear(SIZE, SIZE)
    x = np.random.default_rng(0).normal(size=(batch, SIZE))
    small = QuantizedLinear(layer)
    small.input_range[...] = x.min(), x.max()
    return layer, small, Tensor(x)


def forward(batch: int) -> Steps:
    """One forward pass without a graph; the answer is the length of the result."""
    layer, small, x = layers(batch)

    def run(model: Linear | QuantizedLinear) -> float:
        with no_grad():
            y = model(x).data
        return float(np.linalg.norm(y[0]))

    return {"tinytorch": lambda: run(small), "float32": lambda: run(layer)}


def parts(batch: int, rounds: int = 40) -> dict[str, float]:
    """Milliseconds of the CPU (median) for the parts of an int8 call, and for float32."""
    layer, small, x = layers(batch)
    inputs, grid, weight = x.data, small.grid(x), small.weight
    whole = on_grid(inputs, *grid)
    block = np.empty((SIZE // 4, SIZE), np.float32)
    quarters = [weight.values[start : start + SIZE // 4] for start in range(0, SIZE, SIZE // 4)]

    def widen() -> None:
        for rows in quarters:
            block[...] = rows

    with no_grad():
        steps = {
            "float32 layer": lambda: layer(x),
            "int8 layer": lambda: small(x),
            "grid": lambda: small.grid(x),
            "round the inputs": lambda: on_grid(inputs, *grid),
            "widen the weight": widen,
            "widen and multiply": lambda: int8_matmul(weight.values, whole.T),
            "round, multiply, scale": lambda: int8_linear(inputs, grid, weight.values, weight.scale),
        }
        samples: dict[str, list[float]] = {name: [] for name in steps}
        for _ in range(rounds):
            for name, step in steps.items():
                start = time.process_time()
                step()
                samples[name].append((time.process_time() - start) * 1e3)
    return {name: median(taken) for name, taken in samples.items()}


NAME = f"int8 linear {SIZE:,} x {SIZE:,}, batch"
WORKLOADS = [
    Workload(f"{NAME} {batch}, against float32", 1.1, lambda b=batch: forward(b), 200, "float32") for batch in BATCHES
]


if __name__ == "__main__":
    print(machine())
    for batch in (1, 8, *BATCHES, 1024):
        print(f"batch {batch:4}:", ", ".join(f"{name} {ms:.3f}" for name, ms in parts(batch).items()))
    print(compare_model_sizes(*layers(1)[:2]))
