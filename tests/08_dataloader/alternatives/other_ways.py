"""Every exercise solved in another way."""

# %% collate
#| export
def collate(samples):
    check_samples(samples)
    columns = [[] for _ in samples[0]]
    for sample in samples:
        for column, value in zip(columns, sample, strict=True):
            column.append(np.asarray(raw(value))[None])
    return tuple(as_field(np.concatenate(column, axis=0)) for column in columns)

# %% tensor-dataset
#| export
class TensorDataset(Dataset):

    def __init__(self, *tensors: Any) -> None:
        self.arrays = as_columns(tensors)

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, index: int) -> tuple:
        fields = []
        for array in self.arrays:
            fields.append(as_field(np.array(array[index])))
        return tuple(fields)

    def gather(self, indices: Sequence[int] | np.ndarray) -> tuple:
        return tuple(map(lambda array: as_field(array[np.asarray(indices)]), self.arrays))

# %% subset
#| export
class Subset(Dataset):

    def __init__(self, dataset: Dataset, indices: Sequence[int] | np.ndarray) -> None:
        self.dataset, self.indices = dataset, checked_rows(indices, len(dataset))

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> tuple:
        row = self.indices.tolist()[index]
        return self.dataset[row]

    def gather(self, indices: Sequence[int] | np.ndarray) -> tuple:
        return self.dataset.gather(self.indices.take(indices))

# %% random-split
#| export
def random_split(dataset, lengths, generator=None):
    numbers = list(range(len(dataset)))
    random_source(generator).shuffle(numbers)
    parts = []
    for size in split_sizes(len(dataset), lengths):
        parts.append(Subset(dataset, numbers[:size]))
        numbers = numbers[size:]
    return parts

# %% batch-indices
#| export
def batch_indices(count, batch_size, shuffle=False, drop_last=False, seed=0):
    order = np.arange(count)
    if shuffle:
        order = np.argsort(np.random.default_rng(seed).random(count))
    batches = np.split(order, range(batch_size, count, batch_size))
    if drop_last and len(batches[-1]) < batch_size:
        batches.pop()
    return batches

# %% transform-batch
#| export
def transform_batch(batch, transform, seed, number):
    if transform:
        first, *others = batch
        luck = np.random.Generator(np.random.PCG64([seed, number]))
        batch = (as_field(np.array(transform(np.array(raw(first)), luck))), *others)
    return batch

# %% epoch-batches
#| export
def epoch_batches(loader, seed, start):
    number = 0
    for indices in batch_indices(len(loader.dataset), loader.batch_size, loader.shuffle, loader.drop_last, seed):
        if number >= start:
            if loader.collate_fn:
                samples = []
                for index in indices:
                    samples.append(loader.dataset[int(index)])
                batch = loader.collate_fn(samples)
            else:
                batch = loader.dataset.gather(indices)
            yield transform_batch(batch, loader.transform, seed, number)
        number += 1


# %% crop-each
#| export
def crop_each(images, tops, lefts, size):
    windows = np.lib.stride_tricks.sliding_window_view(images, (size, size), axis=(2, 3))
    return windows[np.arange(len(images)), :, tops, lefts]

# %% normalize
#| export
class Normalize:

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        self.mean, self.std = np.float32(mean), np.float32(std)
        if self.mean.ndim != 1 or self.mean.shape != self.std.shape or not np.all(self.std > 0):
            raise ValueError(
                f"Normalize needs a mean and a std above 0 for each channel, not {mean} and {std}."
            )

    def __call__(self, images: np.ndarray, rng: Any = None) -> np.ndarray:
        if images.shape[-3] != len(self.mean):
            raise ShapeError(f"Normalize: images of shape {images.shape} have {images.shape[-3]} channels, not {len(self.mean)}.")
        channels = [(images[..., c, :, :] - self.mean[c]) / self.std[c] for c in range(len(self.mean))]
        return np.stack(channels, axis=-3)

# %% parse-idx
#| export
def parse_idx(content):
    data = bytes(content)
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in IDX_TYPES or len(data) < 4 + 4 * data[3]:
        raise ValueError("this is no IDX file")
    sizes = [int.from_bytes(data[4 + 4 * k : 8 + 4 * k], "big") for k in range(data[3])]
    kind = np.dtype(IDX_TYPES[data[2]])
    body = data[4 + 4 * data[3] :]
    if len(body) != kind.itemsize * prod(sizes):
        raise ValueError("the length is wrong")
    return np.array(np.frombuffer(body, kind), dtype=kind.newbyteorder("=")).reshape(sizes)
