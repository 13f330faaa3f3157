"""How long a call takes, and how much memory."""

import statistics
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Timing:
    """Wall time of one call in milliseconds: median, fastest and slowest of the samples."""

    median_ms: float
    low_ms: float
    high_ms: float


def bench(function: Callable[..., Any], *args: Any, samples: int = 20, **kwargs: Any) -> Timing:
    """Time `function(*args, **kwargs)`; short calls are repeated so that a sample lasts at least 0.2 ms.

    Returns:
        Median, fastest and slowest sample in milliseconds per call.

    Example:
        >>> bench(sum, [1, 2, 3]).median_ms < 1
        True
    """
    start = time.perf_counter()
    function(*args, **kwargs)  # warm caches, and learn how long one call takes
    repeat = max(1, int(2e-4 / max(time.perf_counter() - start, 1e-7)))
    taken = []
    for _ in range(samples):
        start = time.perf_counter()
        for _ in range(repeat):
            function(*args, **kwargs)
        taken.append((time.perf_counter() - start) / repeat * 1e3)
    return Timing(statistics.median(taken), min(taken), max(taken))


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
