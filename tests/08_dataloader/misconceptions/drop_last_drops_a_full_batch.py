"""drop_last drops the last batch."""
# loses: test-batch-indices

# %% batch-indices
#| export
def batch_indices(
    count: int, batch_size: int, shuffle: bool = False, drop_last: bool = False, seed: int | None = 0
) -> list[np.ndarray]:
    order = np.random.default_rng(seed).permutation(count) if shuffle else np.arange(count)
    batches = [order[start : start + batch_size] for start in range(0, count, batch_size)]
    return batches[:-1] if drop_last else batches
