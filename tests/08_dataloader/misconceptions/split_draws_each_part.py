"""Each part is a random draw from the data set."""
# loses: test-random-split

# %% random-split
#| export
def random_split(
    dataset: Dataset, lengths: Sequence[float], generator: int | np.random.Generator | None = None
) -> list[Subset]:
    sizes = split_sizes(len(dataset), lengths)
    rng = random_source(generator)
    return [Subset(dataset, rng.choice(len(dataset), size=size, replace=False)) for size in sizes]
