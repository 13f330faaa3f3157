"""Each batch is shuffled: that is what shuffle means."""
# loses: test-batch-indices

# %% batch-indices
#| export
def batch_indices(
    count: int, batch_size: int, shuffle: bool = False, drop_last: bool = False, seed: int | None = 0
) -> list[np.ndarray]:
    stop = count - count % batch_size if drop_last else count
    batches = [np.arange(count)[start : start + batch_size] for start in range(0, stop, batch_size)]
    rng = np.random.default_rng(seed)
    return [rng.permutation(batch) for batch in batches] if shuffle else batches
