"""Interleaved timing: every contender runs once per round, so that a slow moment of the machine hits all of them."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Steps = dict[str, Callable[[], Any]]


@dataclass(frozen=True)
class Workload:
    """One row of the table.

    name:   what is run.
    goal:   largest accepted ratio of our time to the rival's; None where there is no goal.
    build:  returns a step for each contender that is installed; a step returns a number that all must agree on.
    rounds: how many times each step is timed.
    rival:  the contender that we are measured by.
    """

    name: str
    goal: float | None
    build: Callable[[], Steps]
    rounds: int
    rival: str = "torch"


@dataclass(frozen=True)
class Row:
    """CPU time per step in milliseconds for each contender (median, first and third quartile)."""

    name: str
    goal: float | None
    times: dict[str, tuple[float, float, float]]
    rival: str = "torch"

    @property
    def ratio(self) -> float | None:
        """Our median over the rival's; None when it is not installed."""
        return self.times["tinytorch"][0] / self.times[self.rival][0] if self.rival in self.times else None

    @property
    def verdict(self) -> str:
        """Whether the goal is met, in a word."""
        if self.ratio is None or self.goal is None:
            return "-"
        return "met" if self.ratio <= self.goal else f"missed by {self.ratio - self.goal:.2f}"


def measure(workload: Workload) -> Row:
    """Check that the contenders agree, then time them A B A B ... on the CPU clock of this process.

    Raises:
        AssertionError: a contender computes something else.
    """
    steps = workload.build()
    answers = {name: float(step()) for name, step in steps.items()}
    for name, answer in answers.items():
        np.testing.assert_allclose(answer, answers["tinytorch"], rtol=1e-3, err_msg=f"{workload.name}: {name}")
    for step in steps.values():
        step()
    samples: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(workload.rounds):
        for name, step in steps.items():
            start = time.process_time()
            step()
            samples[name].append((time.process_time() - start) * 1e3)
    times = {}
    for name, taken in samples.items():
        low, middle, high = statistics.quantiles(taken, n=4)
        times[name] = (middle, low, high)
    return Row(workload.name, workload.goal, times, workload.rival)
