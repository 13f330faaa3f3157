"""A batch is collected sample by sample, so there is nothing else to call."""
# loses: test-epoch-batches

# %% epoch-batches
#| export
def epoch_batches(loader, seed, start):
    order = batch_indices(len(loader.dataset), loader.batch_size, loader.shuffle, loader.drop_last, seed)
    for number, indices in enumerate(order[start:], start):
        if loader.collate_fn is None:
            batch = collate([loader.dataset[i] for i in indices.tolist()])
        else:
            batch = loader.collate_fn([loader.dataset[i] for i in indices.tolist()])
        yield transform_batch(batch, loader.transform, seed, number)
