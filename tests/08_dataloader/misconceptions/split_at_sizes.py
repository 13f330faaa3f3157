"""np.split cuts at the sizes."""
# loses: test-random-split

# %% random-split
#| export
def random_split(
    dataset: Dataset, lengths: Sequence[float], generator: int | np.random.Generator | None = None
) -> list[Subset]:
    sizes = split_sizes(len(dataset), lengths)
    order = random_source(generator).permutation(len(dataset))
    ends = np.cumsum(sizes)
    return [Subset(dataset, piece) for piece in np.split(order, sizes[:-1])]
