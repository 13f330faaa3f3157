"""The warm-up calls are among the iterations."""
# loses: test-timing

# %% timing
#| export
def time_calls(function: Callable[[], Any], warmup: int, iterations: int) -> list[float]:
    taken = []
    for i in range(iterations):
        began = time.perf_counter()
        function()
        if i >= warmup:
            taken.append(1e3 * (time.perf_counter() - began))
    return taken


def percentile(samples: list[float], q: float) -> float:
    in_order = sorted(samples)
    whole, share = divmod(q * (len(in_order) - 1) / 100, 1)
    low, high = in_order[int(whole)], in_order[min(int(whole) + 1, len(in_order) - 1)]
    return low + share * (high - low)
