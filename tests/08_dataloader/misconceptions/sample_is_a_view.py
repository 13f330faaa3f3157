"""A sample is a row of the data set, not a copy of one."""
# loses: test-tensor-dataset

# %% tensor-dataset
#| export
class TensorDataset(Dataset):

    def __init__(self, *tensors: Any) -> None:
        self.arrays = as_columns(tensors)

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, index: int) -> tuple:
        return tuple(as_field(array[index]) for array in self.arrays)

    def gather(self, indices: Sequence[int] | np.ndarray) -> tuple:
        return tuple(as_field(array.take(indices, axis=0)) for array in self.arrays)  # (N, ...) -> (B, ...)
