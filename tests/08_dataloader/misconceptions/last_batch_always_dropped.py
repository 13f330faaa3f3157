"""Batches are all of one size, so what does not fill one is left out."""
# loses: test-batch-indices, test-epoch-batches, test-module-dataloader

# %% batch-indices
#| export
def batch_indices(
    count: int, batch_size: int, shuffle: bool = False, drop_last: bool = False, seed: int | None = 0
) -> list[np.ndarray]:
    order = np.random.default_rng(seed).permutation(count) if shuffle else np.arange(count)
    stop = count - count % batch_size
    return [order[start : start + batch_size] for start in range(0, stop, batch_size)]
