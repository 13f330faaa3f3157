"""A batch is a list of samples."""
# loses: test-collate

# %% collate
#| export
def collate(samples: Sequence[tuple]) -> tuple:
    check_samples(samples)
    return tuple(samples)
