"""Peak memory of one training step, in megabytes: each framework in a process of its own (Linux).

`python -m benchmarks.memory tinytorch` (or torch) prints the figure for one of them.
"""

import subprocess
import sys
from pathlib import Path

from benchmarks.contenders import torch_or_none
from benchmarks.harness import Row

GOAL = 1.15
STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def field(name: str) -> float:
    """A size from /proc/self/status in megabytes."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def peak_of_step(contender: str) -> float:
    """How far one training step of the CIFAR-size CNN raises the process's memory, after a step on a single image."""
    from benchmarks.cnn import CIFAR, CifarNet, our_train_step, torch_train_step

    def step(batch: int) -> object:
        shape = (batch, *CIFAR[1:])
        if contender == "tinytorch":
            return our_train_step(CifarNet, shape)[1]
        return torch_train_step(torch_or_none(), "CifarNet", shape)[1]

    step(1)()  # libraries are loaded and their work spaces made
    full = step(CIFAR[0])
    before = field("VmRSS")
    RESET.write_text("5")  # forget the highest value so far; see proc(5)
    full()
    return field("VmHWM") - before


def measure_memory() -> list[Row]:
    """Run both, three times each, and return one row; none where /proc does not tell."""
    if not RESET.exists():
        return []
    times = {}
    for contender in ["tinytorch", *(["torch"] if torch_or_none() else [])]:
        command = [sys.executable, "-m", "benchmarks.memory", contender]
        runs = sorted(
            float(subprocess.run(command, capture_output=True, text=True, check=True).stdout) for _ in range(3)
        )
        times[contender] = (runs[1], runs[0], runs[2])
    return [Row("CNN of CIFAR's size, train step: peak memory, MB", GOAL, times)]


if __name__ == "__main__":
    print(peak_of_step(sys.argv[1]))
