"""A part of a data set has no arrays of its own, so its batches are collected."""
# loses: test-subset

# %% subset
#| export
class Subset(Dataset):

    def __init__(self, dataset, indices):
        self.dataset, self.indices = dataset, checked_rows(indices, len(dataset))

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, index):
        return self.dataset[int(self.indices[index])]

    def gather(self, indices):
        return collate([self[i] for i in np.asarray(indices).tolist()])
