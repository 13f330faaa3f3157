"""Random numbers come from the course's generator, so that manual_seed decides them."""
# loses: test-transform-batch, test-epoch-batches

# %% transform-batch
#| export
def transform_batch(batch, transform, seed, number):
    if transform is None:
        return batch
    inputs = np.asarray(transform(raw(batch[0]), default_generator()))
    return as_field(inputs), *batch[1:]
