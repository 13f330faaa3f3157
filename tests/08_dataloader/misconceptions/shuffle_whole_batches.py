"""It is enough to take the batches in random order."""
# loses: test-batch-indices

# %% batch-indices
#| export
def batch_indices(
    count: int, batch_size: int, shuffle: bool = False, drop_last: bool = False, seed: int | None = 0
) -> list[np.ndarray]:
    stop = count - count % batch_size if drop_last else count
    batches = [np.arange(count)[start : start + batch_size] for start in range(0, stop, batch_size)]
    return [batches[i] for i in np.random.default_rng(seed).permutation(len(batches))] if shuffle else batches
