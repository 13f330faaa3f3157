"""Peak memory of one training step or of one large graph, in megabytes: each framework in its own process (Linux).

`python -m benchmarks.memory CNN tinytorch` (or GPT, graph; or torch) prints the figure for one of them.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.contenders import torch_or_none
from benchmarks.harness import Row

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def field(name: str) -> float:
    """A size from /proc/self/status in megabytes."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def cnn_step(contender: str, batch: int | None = None) -> Callable[[], object]:
    """A training step of the CIFAR-size CNN, of the benchmark's batch or another."""
    from benchmarks.cnn import CIFAR, CifarNet, our_train_step, torch_train_step

    shape = (batch or CIFAR[0], *CIFAR[1:])
    if contender == "tinytorch":
        return our_train_step(CifarNet, shape)[1]
    return torch_train_step(torch_or_none(), "CifarNet", shape)[1]


def gpt_step(contender: str, batch: int | None = None) -> Callable[[], object]:
    """A training step of the small GPT, of the benchmark's batch or another."""
    from benchmarks.gpt import B, L, both, our_step, torch_step

    model, torch, theirs = both(L)
    return our_step(model, batch or B) if contender == "tinytorch" else torch_step(torch, theirs, batch or B)


def graph_step(contender: str, batch: int | None = None) -> Callable[[], object]:
    """The gradient of 100,000 chained operations on four numbers."""
    from benchmarks.graph import chain, leaves

    tensors = leaves() if contender == "tinytorch" else leaves(torch_or_none().tensor)
    return lambda: chain(*tensors, operations=batch or 100_000).backward()


MODELS = {  # the row's name, its goal, and how to make a step
    "CNN": ("CNN of CIFAR's size, train step: peak memory, MB", 1.15, cnn_step),
    "GPT": ("GPT, train step: peak memory, MB", 1.3, gpt_step),
    "graph": ("graph of 100,000 operations on 4 elements, forward + backward: peak memory, MB", None, graph_step),
}


def peak_of_step(model: str, contender: str) -> float:
    """How far one training step raises the process's memory, after a step on a single example."""
    _, _, make = MODELS[model]
    make(contender, 1)()  # libraries are loaded and their work spaces made
    full = make(contender)
    before = field("VmRSS")
    RESET.write_text("5")  # forget the highest value so far; see proc(5)
    full()
    return field("VmHWM") - before


def measure_memory() -> list[Row]:
    """Run each model on both, three times, and return its row; none where /proc does not tell."""
    return [row(model) for model in MODELS] if RESET.exists() else []


def row(model: str) -> Row:
    """One model's row."""
    name, goal, _ = MODELS[model]
    times = {}
    for contender in ["tinytorch", *(["torch"] if torch_or_none() else [])]:
        command = [sys.executable, "-m", "benchmarks.memory", model, contender]
        runs = sorted(
            float(subprocess.run(command, capture_output=True, text=True, check=True).stdout) for _ in range(3)
        )
        times[contender] = (runs[1], runs[0], runs[2])
    return Row(name, goal, times)


if __name__ == "__main__":
    print(peak_of_step(*sys.argv[1:]))
