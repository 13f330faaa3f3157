"""np.random shuffles; a seed is only for those who want one."""
# loses: test-batch-indices, test-epoch-batches, test-module-dataloader

# %% batch-indices
#| export
def batch_indices(
    count: int, batch_size: int, shuffle: bool = False, drop_last: bool = False, seed: int | None = 0
) -> list[np.ndarray]:
    order = np.random.permutation(count) if shuffle else np.arange(count)
    stop = count - count % batch_size if drop_last else count
    return [order[start : start + batch_size] for start in range(0, stop, batch_size)]
