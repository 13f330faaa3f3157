"""How long a call takes, and how much memory."""

import statistics
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

SHORTEST = 1e-3  # seconds of a sample: long against the call of the clock, short against a slice of the scheduler
TICKS = 10  # steps of the clock that a sample must last, where the clock is coarse

Way = TypeVar("Way")


@dataclass(frozen=True)
class Timing:
    """Wall time of one call in milliseconds: median, fastest and slowest of the samples, never 0.

    Whatever else the machine does only adds time, so `low_ms` is the one to compare and to print.
    """

    median_ms: float
    low_ms: float
    high_ms: float


def bench(function: Callable[..., Any], *args: Any, samples: int = 20, **kwargs: Any) -> Timing:
    """Time `function(*args, **kwargs)`; the first call does not count, and short calls are repeated within a sample.

    Returns:
        Median, fastest and slowest sample in milliseconds per call.

    Example:
        >>> bench(sum, [1, 2, 3]).low_ms < 1
        True
    """
    return compare({"": function}, *args, samples=samples, **kwargs)[""]


def compare(ways: dict[Way, Callable[..., Any]], *args: Any, samples: int = 20, **kwargs: Any) -> dict[Way, Timing]:
    """Time several functions of the same arguments in turns, so that a machine that is busy for a while slows them all.

    Returns:
        The timing of each, under the same keys.

    Example:
        >>> times = compare({"add": sum, "sort": sorted}, list(range(10_000)))
        >>> times["sort"].low_ms > 0
        True
    """
    tick = min(_tick() for _ in range(3))
    calls = {way: partial(function, *args, **kwargs) for way, function in ways.items()}
    repeats = {way: _repeats(call, max(SHORTEST, TICKS * tick)) for way, call in calls.items()}
    taken: dict[Way, list[float]] = {way: [] for way in ways}
    for _ in range(samples):
        for way, call in calls.items():
            if repeats[way] > 1:
                call()  # the way before it has filled the caches with other numbers
            seconds = max(_seconds(call, repeats[way]), tick)  # what the clock cannot see is not 0
            taken[way].append(seconds / repeats[way] * 1e3)
    return {way: Timing(statistics.median(ms), min(ms), max(ms)) for way, ms in taken.items()}


def _tick() -> float:
    """Seconds between two readings of the clock that differ."""
    start = now = time.perf_counter()
    while now == start:
        now = time.perf_counter()
    return now - start


def _seconds(function: Callable[[], Any], repeat: int) -> float:
    start = time.perf_counter()
    for _ in range(repeat):
        function()
    return time.perf_counter() - start


def _repeats(function: Callable[[], Any], shortest: float) -> int:
    """How many calls last at least `shortest` seconds, also when one of them is slow by chance."""
    function()  # the first call fills caches
    repeat = 1
    while _seconds(function, repeat) < shortest or _seconds(function, repeat) < shortest:
        repeat *= 2
    return repeat


def peak_bytes(function: Callable[..., Any], *args: Any, **kwargs: Any) -> int:
    """Return how many bytes `function(*args, **kwargs)` held at its highest point, on top of what was there before.

    NumPy reports its buffers to `tracemalloc`, so arrays are counted to the byte.

    Example:
        >>> import numpy as np
        >>> peak_bytes(np.zeros, 1000) >= 8000
        True
    """
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        function(*args, **kwargs)
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
