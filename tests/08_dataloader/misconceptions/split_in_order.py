"""The first rows are for training, the last for testing."""
# loses: test-random-split, test-module-dataloader

# %% random-split
#| export
def random_split(
    dataset: Dataset, lengths: Sequence[float], generator: int | np.random.Generator | None = None
) -> list[Subset]:
    sizes = split_sizes(len(dataset), lengths)
    order = np.arange(len(dataset))
    ends = np.cumsum(sizes)
    return [Subset(dataset, piece) for piece in np.split(order, ends[:-1])]
