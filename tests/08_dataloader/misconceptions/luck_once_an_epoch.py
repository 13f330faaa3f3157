"""One seed for the epoch makes its transforms repeatable."""
# loses: test-transform-batch, test-epoch-batches

# %% transform-batch
#| export
def transform_batch(batch, transform, seed, number):
    if transform is None:
        return batch
    inputs = np.asarray(transform(raw(batch[0]), np.random.default_rng(seed)))
    return as_field(inputs), *batch[1:]
