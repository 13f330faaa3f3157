"""A percentile cuts the large numbers, and the smallest stays."""
# loses: test-calibrated-range

# %% calibrated-range
#| export
def calibrated_range(samples: list[np.ndarray], percentile: float = 100.0) -> tuple[float, float]:
    numbers = np.concatenate([np.ravel(sample) for sample in samples])
    low, high = numbers.min(), np.percentile(numbers, percentile)
    return min(float(low), 0.0), max(float(high), 0.0)


def input_grid(x: np.ndarray, known: np.ndarray, bits: int = 8) -> tuple[Any, Any, int]:
    low, high = known if known.any() else value_range(x)
    return *scale_and_zero_point(low, high, bits, symmetric=not known.any()), bits
