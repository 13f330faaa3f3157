"""Everything in a batch is a Tensor."""
# loses: test-collate

# %% collate
#| export
def collate(samples: Sequence[tuple]) -> tuple:
    check_samples(samples)
    batch = []
    for column in zip(*samples, strict=True):
        values = np.stack([raw(value) for value in column])  # (B, ...)
        batch.append(wrap(values))
    return tuple(batch)
