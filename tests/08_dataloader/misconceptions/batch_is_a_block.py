"""A batch is a stretch of neighbouring rows."""
# loses: test-tensor-dataset, test-module-dataloader

# %% tensor-dataset
#| export
class TensorDataset(Dataset):

    def __init__(self, *tensors: Any) -> None:
        self.arrays = as_columns(tensors)

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, index: int) -> tuple:
        return tuple(as_field(array[index].copy()) for array in self.arrays)

    def gather(self, indices: Sequence[int] | np.ndarray) -> tuple:
        return tuple(as_field(array[min(indices) : max(indices) + 1]) for array in self.arrays)
