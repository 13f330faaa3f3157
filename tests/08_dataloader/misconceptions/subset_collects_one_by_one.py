"""A part of a data set has no arrays of its own, so its batches are collected."""
# loses: test-subset

# %% subset
#| export
class Subset(Dataset):

    def __init__(self, dataset: Dataset, indices: Sequence[int] | np.ndarray) -> None:
        self.dataset, self.indices = dataset, checked_rows(indices, len(dataset))

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> tuple:
        return self.dataset[int(self.indices[index])]

    def gather(self, indices: Sequence[int] | np.ndarray) -> tuple:
        rows = np.asarray(indices).tolist()
        return collate([self[row] for row in rows])
