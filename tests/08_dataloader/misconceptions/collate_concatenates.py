"""To put arrays together, concatenate them."""
# loses: test-collate

# %% collate
#| export
def collate(samples: Sequence[tuple]) -> tuple:
    check_samples(samples)
    batch = []
    for column in zip(*samples, strict=True):
        values = np.concatenate([np.atleast_1d(raw(value)) for value in column])
        batch.append(as_field(values))
    return tuple(batch)
