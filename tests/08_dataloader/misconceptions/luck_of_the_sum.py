"""A new seed for each batch: the epoch's seed plus the batch's number."""
# loses: test-transform-batch

# %% transform-batch
#| export
def transform_batch(batch, transform, seed, number):
    if transform is None:
        return batch
    inputs = np.asarray(transform(raw(batch[0]), np.random.default_rng(seed + number)))
    return as_field(inputs), *batch[1:]
