"""To go on from a batch, one has to go through those before it."""
# loses: test-epoch-batches

# %% epoch-batches
#| export
def epoch_batches(loader, seed, start):
    order = batch_indices(len(loader.dataset), loader.batch_size, loader.shuffle, loader.drop_last, seed)
    for number, indices in enumerate(order):
        if loader.collate_fn is None:
            batch = loader.dataset.gather(indices)
        else:
            batch = loader.collate_fn([loader.dataset[i] for i in indices.tolist()])
        if number >= start:
            yield transform_batch(batch, loader.transform, seed, number)
