"""The q-th percentile is q percent of the way from the fastest to the slowest."""
# loses: test-timing

# %% timing
#| export
def time_calls(function: Callable[[], Any], warmup: int, iterations: int) -> list[float]:
    for _ in range(warmup):
        function()
    taken = []
    for _ in range(iterations):
        began = time.perf_counter()
        function()
        taken.append(1e3 * (time.perf_counter() - began))
    return taken


def percentile(samples: list[float], q: float) -> float:
    return min(samples) + q / 100 * (max(samples) - min(samples))
