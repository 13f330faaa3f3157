"""A batch is transformed as a whole."""
# loses: test-transform-batch

# %% transform-batch
#| export
def transform_batch(batch, transform, seed, number):
    if transform is None:
        return batch
    rng = np.random.default_rng((seed, number))
    return tuple(as_field(np.asarray(transform(raw(field), rng))) for field in batch)
