"""Inputs and labels are shuffled, each of them."""
# loses: test-epoch-batches, test-module-dataloader

# %% epoch-batches
#| export
def epoch_batches(loader, seed, start):
    order = batch_indices(len(loader.dataset), loader.batch_size, loader.shuffle, loader.drop_last, seed)
    for number, indices in enumerate(order[start:], start):
        if loader.collate_fn is None:
            others = np.random.default_rng(number).permutation(indices) if loader.shuffle else indices
            batch = loader.dataset.gather(indices)[:1] + loader.dataset.gather(others)[1:]
        else:
            batch = loader.collate_fn([loader.dataset[i] for i in indices.tolist()])
        yield transform_batch(batch, loader.transform, seed, number)
