"""What a collate_fn returns is ready: no transform changes it."""
# loses: test-epoch-batches

# %% epoch-batches
#| export
def epoch_batches(loader, seed, start):
    order = batch_indices(len(loader.dataset), loader.batch_size, loader.shuffle, loader.drop_last, seed)
    for number, indices in enumerate(order[start:], start):
        if loader.collate_fn is None:
            yield transform_batch(loader.dataset.gather(indices), loader.transform, seed, number)
        else:
            yield loader.collate_fn([loader.dataset[i] for i in indices.tolist()])
