"""A percentile is one of the samples."""
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
    in_order = sorted(samples)
    return in_order[int(q / 100 * (len(in_order) - 1))]
