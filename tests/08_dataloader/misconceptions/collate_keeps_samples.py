"""A batch is a list of samples."""
# loses: test-collate
# says: one entry per field, not per sample

# %% collate
#| export
def collate(samples: Sequence[tuple]) -> tuple:
    check_samples(samples)
    return tuple(samples)
