"""What watching costs: forward passes on the Profiler's tape against the same passes unwatched.

`python -m benchmarks.profiling` prints microseconds for each watched call, on a chain of layers that do nothing, and
for putting the watch on and taking it off, which the Profiler does for every pass.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.cnn import LENET, LeNet
from benchmarks.gpt import both, text
from benchmarks.harness import Steps, Workload
from benchmarks.table import machine
from tinytorch import Tensor, nn, no_grad
from tinytorch.core.tensor import keep_freed_memory
from tinytorch.profiling.profiler import Tape, layers_of, observing

CALLS = 500


def passes(model: nn.Module, x: Any) -> Steps:
    """A watched and a bare forward pass, without a graph."""

    def bare() -> float:
        with no_grad():
            return model(x).sum().item()

    def watched() -> float:
        with observing(model, Tape().watch):
            return bare()

    return {"tinytorch": watched, "unwatched": bare}


def gpt() -> Steps:
    """The GPT of the other rows, 45 calls of layers a pass."""
    return passes(both()[0], text()[0])


def lenet() -> Steps:
    """The LeNet of the other rows, 8 calls a pass."""
    keep_freed_memory()
    return passes(LeNet(), Tensor(np.random.default_rng(0).normal(size=LENET)))


class Chain(nn.Module):
    """Layers that hand their input on."""

    def __init__(self) -> None:
        self.layers = [nn.Identity() for _ in range(CALLS)]

    def forward(self, x: Tensor) -> Tensor:
        """x, handed on."""
        for layer in self.layers:
            x = layer(x)
        return x


def microseconds_per_call(recorded: bool, rounds: int = 50) -> float:
    """CPU time that watching adds to a call: fastest pass of a chain, watched minus bare."""
    model, x = Chain(), Tensor([1.0])

    def seconds(run: Callable[[], Any]) -> float:
        start = time.process_time()
        run()
        return time.process_time() - start

    bare, watched = [], []
    for _ in range(rounds):
        bare.append(seconds(lambda: model(x)))
        with observing(model, Tape(recorded).watch):
            watched.append(seconds(lambda: model(x)))
    return (min(watched) - min(bare)) / CALLS * 1e6


def microseconds_per_layer(rounds: int = 500) -> float:
    """CPU time of putting the watch on a layer and taking it off again: fastest block around nothing, of a LeNet."""
    model, times = LeNet(), []
    for _ in range(rounds):
        start = time.process_time()
        with observing(model, Tape().watch):
            pass
        times.append(time.process_time() - start)
    return min(times) / len(layers_of(model)) * 1e6


WORKLOADS = [
    Workload("GPT 16 x 128, forward, watched by the Profiler", 1.05, gpt, rounds=30, against="unwatched"),
    Workload("LeNet-like 32x1x28x28, forward, watched by the Profiler", 1.05, lenet, rounds=100, against="unwatched"),
]

if __name__ == "__main__":
    for recorded, name in ((False, "a pass without a graph"), (True, "a recorded pass")):
        print(f"{name}: {microseconds_per_call(recorded):.1f} microseconds for each watched call")
    print(f"the watch on and off: {microseconds_per_layer():.1f} microseconds for each layer")
    print("; ".join(f"{key}: {value}" for key, value in machine().items()))
