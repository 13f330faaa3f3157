# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
r"""
# Module 08: Data loading

A network that waits for its data learns nothing while it waits. Today you build the part that cuts a data set into shuffled
batches, find out what a batch costs when Python touches every sample, and measure how much cheaper one idea makes it.

**Needs** `Tensor` (01) | **Exports** `tinytorch.data.loader` | **About** 3 hours | **Points** 70
"""

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| default_exp data.loader
#| export
from collections.abc import Callable, Iterator, Sequence
from math import prod
from typing import Any

import numpy as np

from tinytorch.core.tensor import ShapeError, raw, wrap
from tinytorch.core.tensor import generator as default_generator

# %% nbgrader={"grade": false, "grade_id": "page-imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
import zlib  # this page only: plots and measurements are not exported
from collections import deque

import matplotlib.pyplot as plt

from tinytorch.core.tensor import Tensor
from tito.lab import bench, check_close, check_equal, check_raises, compare
from tito.lab import load_digits, peak_bytes, show

# %% [markdown]
r"""
## From samples to a batch

A data set is a numbered pile of **samples**. Everything that can say how many it has, and hand out sample number $i$, is one:
numbers in memory, files in a folder, sentences in a book. A sample is a tuple of **fields**, such as (pixels, label).

A model wants the opposite arrangement: not one tuple per sample but one array per field, with the samples along a new first axis.

```
samples, as they come                     batch, as the model wants it

(pixels (28, 28), 5)                      pixels  (3, 28, 28)
(pixels (28, 28), 0)          ->          labels  [5, 0, 4]
(pixels (28, 28), 4)
```

Turning one into the other is called *collating*. Fields that are measured (floats) become a Tensor; fields that count or name (labels, token
numbers) stay integer arrays, since you index with them and never differentiate. `as_field` below knows the difference.
"""

# %% nbgrader={"grade": false, "grade_id": "dataset-class", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Dataset:
    """Numbered samples. Derive your class from it and give it `__len__` and `__getitem__`.

    `len(dataset)` is the number of samples; `dataset[i]` is sample number i, a tuple of fields:
    Tensors, arrays or numbers.

    Example:
        >>> class Squares(Dataset):
        ...     def __len__(self):
        ...         return 10
        ...     def __getitem__(self, index):
        ...         return float(index), index * index
        >>> Squares().gather([2, 3])[1]
        array([4, 9])
    """

    def __len__(self) -> int:
        name = type(self).__name__
        raise NotImplementedError(f"{name} needs __len__: how many samples are there?")

    def __getitem__(self, index: int) -> tuple:
        name = type(self).__name__
        raise NotImplementedError(f"{name} needs __getitem__: what is sample number {index}?")

    def gather(self, indices: Sequence[int] | np.ndarray) -> tuple:
        """The samples at `indices` as one batch, one by one; override it with a faster way."""
        return collate([self[i] for i in np.asarray(indices).tolist()])


def as_field(values: np.ndarray) -> Any:
    """Numbers as a model takes them: floats as a Tensor, integers (labels, tokens) as an array."""
    return wrap(values) if values.dtype.kind == "f" else values


# %% nbgrader={"grade": false, "grade_id": "collate", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def collate(samples: Sequence[tuple]) -> tuple:
    """Stack samples into a batch, field by field.

    Args:
        samples: B tuples of F fields; field k has the same shape in each.

    Returns:
        Tuple of F batches of shape (B, ...): a Tensor where the field holds floats, else an
            integer array.

    Raises:
        ValueError, TypeError, ShapeError: see check_samples.

    TODO: one array per field.
    APPROACH: 1. turn rows into columns  2. stack each column along a new first axis
        3. let `as_field` wrap it
    EXAMPLE:
        >>> pixels, labels = collate([(np.zeros(4), 7), (np.ones(4), 2)])
        >>> pixels.shape, labels.tolist()
        ((2, 4), [7, 2])

    HINT: `zip(*samples)` walks over the columns; `raw` takes the array out of a Tensor.
    """
    check_samples(samples)
    ### BEGIN SOLUTION
    batch = []
    for column in zip(*samples, strict=True):
        values = np.stack([raw(value) for value in column])  # (B, ...)
        batch.append(as_field(values))
    return tuple(batch)
    ### END SOLUTION


# %% [markdown]
r"""
`check_samples` looks through the samples before you stack them, and says in words which one does not fit.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-check-samples", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def check_samples(samples: Sequence[tuple]) -> None:
    """See that samples can be stacked.

    Raises:
        ValueError: there are none.
        TypeError: a sample is not a tuple.
        ShapeError: a sample has other fields, or a field of another shape, than the first one.
    """
    if not len(samples):
        raise ValueError("a batch needs at least one sample.")
    for number, sample in enumerate(samples):
        if not isinstance(sample, tuple | list):
            kind = type(sample).__name__
            raise TypeError(
                f"a sample is a tuple of fields, not {kind}: return (x,) if there is only one."
            )
        shapes = [np.shape(raw(value)) for value in sample]
        if number == 0:
            first = shapes
        elif shapes != first:
            raise ShapeError(
                f"sample {number} of the batch has fields of shapes {shapes}, "
                f"sample 0 has {first}: "
                f"crop or pad them to one shape, or pass a collate_fn that does."
            )


# %% nbgrader={"grade": true, "grade_id": "test-collate", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_collate():
    """Two fields of three samples, and the kinds of their numbers."""
    rows = [(np.arange(4, dtype=np.float32) + 10 * i, 7 - i) for i in range(3)]
    check_equal(lambda: len(collate(rows)), 2)
    check_close(lambda: collate(rows)[0].data, [row[0] for row in rows])
    check_equal(lambda: np.asarray(collate(rows)[1]).tolist(), [7, 6, 5])
    ### BEGIN HIDDEN TESTS
    check_equal(lambda: np.asarray(collate(rows)[1]).dtype.kind, "i")
    x = np.random.default_rng(0).normal(size=(5, 2, 3)).astype(np.float32)
    samples = [(Tensor(row), i, 0.5 * i) for i, row in enumerate(x)]
    check_close(lambda: collate(samples)[0].data, x)
    check_close(lambda: collate(samples)[2].data, [0, 0.5, 1, 1.5, 2])
    check_equal(lambda: collate(samples)[2].data.dtype.name, "float32")
    check_equal(lambda: len(collate([(x[0],)])), 1)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_collate()

# %% [markdown]
r"""
## When the numbers lie in memory

`Dataset.gather` visits the samples one by one: a Python call for each, a small array for each, and at the end a copy of them all. If a whole data
set is one array, with the samples along its first axis, the batch can be had in **one** call. NumPy's `take` walks over the row numbers
in C and copies each row to its place:

```
array     row 0 | row 1 | row 2 | row 3 | row 4 | row 5           array.take([4, 0, 3], axis=0)
            |               .-------+-------'
            '---------------|---.   '---.
                          row 4 | row 0 | row 3                   a fresh array: nobody else can write into it
```

`array[[4, 0, 3]]` says the same and is somewhat slower. What both need is memory that lies row after row: on a transposed view, `take` would copy the
whole array before every batch. So the constructor makes everything contiguous once.

Before you write it, guess: how many times faster is one `take` of 64 images than 64 samples and a `collate`?
"""

# %% [markdown]
r"""
The folded cell makes the columns: contiguous arrays of numbers, floats as float32, all with the same number of rows.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-columns", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def as_column(values: Any) -> np.ndarray:
    """All the numbers of one field as a contiguous array, the samples along its first axis.

    Raises:
        TypeError: not numbers.
        ShapeError: a single number has no samples.
    """
    array = np.asarray(raw(values))
    if array.dtype.kind not in "biuf":
        raise TypeError(f"a data set holds numbers, not {array.dtype}: convert them first.")
    if not array.ndim:
        raise ShapeError("a data set needs an axis of samples, not a single number.")
    return np.ascontiguousarray(array, dtype=np.float32 if array.dtype.kind == "f" else None)


def as_columns(fields: Sequence[Any]) -> list[np.ndarray]:
    """All the fields of a data set, each as_column.

    Raises:
        ValueError: none are given.
        ShapeError: they differ in their number of rows.
    """
    arrays = [as_column(values) for values in fields]
    if not arrays:
        raise ValueError("TensorDataset needs at least one Tensor or array.")
    if len({len(array) for array in arrays}) > 1:
        lengths = ", ".join(str(len(array)) for array in arrays)
        raise ShapeError(
            f"TensorDataset: the fields have {lengths} rows: every sample needs one row of each."
        )
    return arrays


# %% nbgrader={"grade": false, "grade_id": "tensor-dataset", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class TensorDataset(Dataset):
    """Samples that lie in arrays: sample i is row i of each.

    Args:
        tensors: Tensors, arrays or lists with the same number of rows; arrays are not copied where
            that can be helped.

    Raises:
        ValueError: none are given.
        ShapeError: they differ in their number of rows.

    TODO: `dataset[index]`, one sample; and `dataset.gather(indices)`, a batch without a loop over
        samples.
    APPROACH: 1. take from every array in `self.arrays`  2. wrap each result with `as_field`
        3. a tuple of them
    EXAMPLE:
        >>> dataset = TensorDataset([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]], [7, 8, 9])
        >>> dataset.gather([2, 0])[0].data, dataset[1][1].item()
        (array([[4., 5.],
               [0., 1.]], dtype=float32), 8)

    HINT: `array[index]` is a view: copy it, or a sample that somebody changes changes the data set.
    """

    def __init__(self, *tensors: Any) -> None:
        self.arrays = as_columns(tensors)

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, index: int) -> tuple:
        """Sample number `index`; an index that there is not raises IndexError."""
        ### BEGIN SOLUTION
        return tuple(as_field(array[index].copy()) for array in self.arrays)
        ### END SOLUTION

    def gather(self, indices: Sequence[int] | np.ndarray) -> tuple:
        """The samples at `indices` (B,) as one batch (B, ...), with one call per field."""
        ### BEGIN SOLUTION
        batch = [array.take(indices, axis=0) for array in self.arrays]  # (N, ...) -> (B, ...)
        return tuple(as_field(values) for values in batch)
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-tensor-dataset", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_tensor_dataset():
    """Rows one at a time and many at once, with their labels."""
    x = np.arange(24, dtype=np.float32).reshape(6, 2, 2)
    dataset = TensorDataset(x, 10 * np.arange(6))
    check_close(lambda: dataset[4][0].data, x[4])
    check_equal(lambda: int(dataset[4][1]), 40)
    check_close(lambda: dataset.gather(np.array([4, 0, 4]))[0].data, x[[4, 0, 4]])
    check_equal(lambda: np.asarray(dataset.gather(np.array([4, 0, 4]))[1]).tolist(), [40, 0, 40])
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(30, 3)).astype(np.float32), rng.integers(0, 9, size=30)
    c = rng.normal(size=30)
    dataset = TensorDataset(Tensor(a), b, c)
    order = rng.permutation(30)[:11]
    indices = order.tolist()
    check_equal(lambda: len(dataset.gather(indices)), 3)
    check_close(lambda: dataset.gather(indices)[0].data, a[order])
    check_equal(lambda: np.asarray(dataset.gather(indices)[1]).tolist(), b[order].tolist())
    check_close(lambda: dataset.gather(indices)[2].data, c[order])
    check_equal(lambda: dataset.gather(indices)[2].data.dtype.name, "float32")
    check_equal(lambda: np.asarray(dataset.gather(indices)[1]).dtype.kind, "i")
    check_close(lambda: dataset[-1][0].data, a[-1])
    check_raises(IndexError, lambda: dataset[30])
    check_raises(IndexError, lambda: dataset.gather([0, 30]))
    sample, before = dataset[0][0], a[0].copy()
    sample.data[...] = 7
    check_close(lambda: dataset[0][0].data, before)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_tensor_dataset()


# %%
def analyze_gather():
    """Images of 28 x 28 a second, one by one and gathered, for batches of 1 to 1,024."""
    rng = np.random.default_rng(0)
    pixels = rng.random((20_000, 28, 28), dtype=np.float32)
    dataset = TensorDataset(pixels, rng.integers(0, 10, size=20_000))
    sizes = [1, 4, 16, 64, 256, 1024]
    ways = {
        "one by one, then collate": lambda rows: collate([dataset[i] for i in rows.tolist()]),
        "gathered": dataset.gather,
    }
    rates = {name: [] for name in ways}
    for size in sizes:
        indices = rng.integers(0, len(dataset), size=size)
        for name, timing in compare(ways, indices).items():
            rates[name].append(size / timing.low_ms * 1e3)
    fig, ax = plt.subplots(figsize=(5, 3))
    for marker, (name, values) in zip("so", rates.items(), strict=True):
        ax.loglog(sizes, values, marker=marker, label=name)
    ax.set(xlabel="batch size", ylabel="samples per second", title="What a batch costs")
    ax.legend()
    for k in (0, 3, 5):
        one, all_at_once = (values[k] for values in rates.values())
        print(f"batches of {sizes[k]:4}: {one:9,.0f} samples/s one by one", end=", ")
        print(f"{all_at_once:11,.0f} gathered: {all_at_once / one:.1f} times as many")
    one, all_at_once = (values[-1] / values[0] for values in rates.values())
    alt = "Samples per second against batch size, logarithmic; from batches of 1 to 1,024 it grows "
    show(fig, alt=alt + f"{one:.1f} times one by one and {all_at_once:.0f} times gathered")


if __name__ == "__main__":
    analyze_gather()

# %% [markdown]
r"""
One by one, each sample costs its own Python calls, however many there are, so the line can hardly climb. Gathering pays for the call once, and its
line climbs until what remains is copying 3 kB per image. For such data PyTorch's `DataLoader` goes the slow way by default (a batch
is a list comprehension and a `stack`: `torch/utils/data/_utils/fetch.py`); its answer is more processes, behind which the work is hidden and not saved.

## Two piles: train and test

What a model has seen is no evidence. So some samples are put aside *before* anything is learnt, and they must be a random choice: many files come sorted
by class, and the last fifth of such a file holds two digits out of ten.

A part of a data set is a list of row numbers, and copies nothing. It is a data set itself, so it has numbers of its own:

```
data set        row 0   row 1   row 2   row 3   row 4
subset.indices  [4, 0, 2]
subset[1]       sample number 1 of the subset: row 0 of the data set
```

And its batches should be gathered as fast as the data set below it can: not one by one. `Powers` counts how it is asked.
"""

# %% nbgrader={"grade": false, "grade_id": "powers", "locked": true, "schema_version": 3, "solution": false, "task": false}
class Powers(Dataset):
    """Sample i is (a pair of floats i and i / 2, the integer i * i); it counts how it is asked."""

    def __init__(self, count):
        self.count, self.gathered, self.fetched = count, 0, 0

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        self.fetched += 1
        return np.float32([index, index / 2]), index * index

    def gather(self, indices):
        self.gathered += 1
        i = np.asarray(indices)
        return wrap(np.stack([i, i / 2], axis=1)), i * i


# %% nbgrader={"grade": false, "grade_id": "subset", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class Subset(Dataset):
    """Some samples of a data set, by their numbers.

    Args:
        dataset: where the samples are; nothing is copied.
        indices: which ones, in which order.

    Raises:
        IndexError: a number is out of range.

    TODO: one sample, and a batch as fast as the data set itself can make one.
    APPROACH: 1. look up in `self.indices` which rows are meant  2. ask `self.dataset` for those
    EXAMPLE:
        >>> part = Subset(TensorDataset([10, 11, 12, 13, 14]), [4, 0, 2])
        >>> part[1][0].item(), part.gather([2, 0])[0].tolist()
        (10, [12, 14])

    HINT: `self.indices` is an array; indexed with a list or an array it gives an array.
    """

    def __init__(self, dataset: Dataset, indices: Sequence[int] | np.ndarray) -> None:
        self.dataset, self.indices = dataset, checked_rows(indices, len(dataset))

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> tuple:
        """Sample number `index` of this part."""
        ### BEGIN SOLUTION
        return self.dataset[int(self.indices[index])]
        ### END SOLUTION

    def gather(self, indices: Sequence[int] | np.ndarray) -> tuple:
        """The samples at `indices` of this part as one batch."""
        ### BEGIN SOLUTION
        rows = self.indices[indices]  # (B,) numbers of this part -> rows of the data set
        return self.dataset.gather(rows)
        ### END SOLUTION


# %% [markdown]
r"""
Three small servants of this section: row numbers that are checked, sizes from fractions, and random numbers from a seed.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-splitting", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def checked_rows(indices: Sequence[int] | np.ndarray, count: int) -> np.ndarray:
    """Row numbers as an integer array.

    Raises:
        IndexError: there is no such row among `count`.
    """
    rows = np.asarray(indices, dtype=np.intp).reshape(-1)
    wrong = rows[(rows < -count) | (rows >= count)]
    if wrong.size:
        raise IndexError(f"Subset: there is no sample {wrong[0]}: the data set has {count}.")
    return rows


def random_source(generator: int | np.random.Generator | None) -> np.random.Generator:
    """The random numbers that are meant: from a seed, a generator, or the course's own for None."""
    return default_generator() if generator is None else np.random.default_rng(generator)


def split_sizes(count: int, lengths: Sequence[float]) -> list[int]:
    """How many samples each part gets: `lengths`, or these fractions of `count`.

    Fractions are rounded down, and the rest is dealt from the left.

    Raises:
        ValueError: negative lengths, or they add up neither to `count` nor to 1.

    Example:
        >>> split_sizes(11, [0.5, 0.5]), split_sizes(11, [8, 3])
        ([6, 5], [8, 3])
    """
    whole = all(isinstance(n, int | np.integer) and n >= 0 for n in lengths)
    if whole and sum(lengths) == count:
        return [int(n) for n in lengths]
    if not lengths or min(lengths) < 0 or abs(sum(lengths) - 1) > 1e-6:
        raise ValueError(
            f"random_split: {list(lengths)} must add up to the {count} samples, "
            f"or as fractions to 1."
        )
    sizes = [int(count * fraction) for fraction in lengths]
    for i in range(count - sum(sizes)):
        sizes[i % len(sizes)] += 1
    return sizes


# %% nbgrader={"grade": true, "grade_id": "test-subset", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_subset():
    """Its own numbers, and one call of the data set below for a batch."""
    powers = Powers(9)
    part = Subset(powers, [8, 0, 3, 5])
    check_equal(lambda: [int(part[i][1]) for i in range(4)], [64, 0, 9, 25])
    check_equal(lambda: part.gather([2, 0])[1].tolist(), [9, 64])
    check_equal(lambda: (powers.gathered, powers.fetched), (1, 4))
    ### BEGIN HIDDEN TESTS
    check_equal(lambda: int(part[-1][1]), 25)
    check_equal(lambda: part.gather(np.array([3, 3, 1]))[1].tolist(), [25, 25, 0])
    check_close(lambda: part.gather(np.array([3, 1]))[0].data, [[5, 2.5], [0, 0]])
    inner = Subset(part, [3, 1])
    check_equal(lambda: [int(inner[0][1]), int(inner[1][1])], [25, 0])
    check_equal(lambda: inner.gather([1, 0])[1].tolist(), [0, 25])
    check_raises(IndexError, lambda: part[4])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_subset()

# %% [markdown]
r"""
`random_split` deals all row numbers out, each to exactly one pile.
"""

# %% nbgrader={"grade": false, "grade_id": "random-split", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def random_split(
    dataset: Dataset, lengths: Sequence[float], generator: int | np.random.Generator | None = None
) -> list[Subset]:
    """Deal the samples of a data set out at random, each to exactly one part.

    Args:
        dataset: N samples.
        lengths: numbers of samples that add up to N, or fractions that add up to 1.
        generator: a seed, a NumPy generator, or None for the course's own.

    Returns:
        One Subset for each length.

    Raises:
        ValueError: the lengths do not add up.

    TODO: shuffle the row numbers once and cut the result.
    APPROACH: 1. a permutation of N from `random_source(generator)`
        2. cut it after each of `sizes`  3. a Subset of each piece
    EXAMPLE:
        >>> train, test = random_split(TensorDataset(np.arange(10)), [8, 2], generator=0)
        >>> len(train), len(test), sorted([*train.indices, *test.indices]) == list(range(10))
        (8, 2, True)

    HINT: `np.cumsum(sizes)` says where each piece ends; `np.split(order, ends[:-1])` cuts there.
    """
    sizes = split_sizes(len(dataset), lengths)
    ### BEGIN SOLUTION
    order = random_source(generator).permutation(len(dataset))
    ends = np.cumsum(sizes)
    return [Subset(dataset, piece) for piece in np.split(order, ends[:-1])]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-random-split", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_random_split():
    """Every sample in exactly one part, at random, and the same with the same seed."""
    dataset = TensorDataset(np.arange(50))

    def dealt(lengths, seed):
        return [part.indices.tolist() for part in random_split(dataset, lengths, generator=seed)]

    check_equal(lambda: [len(part) for part in dealt([40, 10], 3)], [40, 10])
    check_equal(lambda: sorted(np.concatenate(dealt([40, 10], 3)).tolist()), list(range(50)))
    ### BEGIN HIDDEN TESTS
    check_equal(lambda: dealt([40, 10], 3) == dealt([40, 10], 3), True)
    check_equal(lambda: dealt([40, 10], 3) != dealt([40, 10], 4), True)
    thirds = dealt([0.5, 0.3, 0.2], 5)
    check_equal(lambda: [len(part) for part in thirds], [25, 15, 10])
    check_equal(lambda: sorted(np.concatenate(thirds).tolist()), list(range(50)))
    seeds = range(20)
    check_close(lambda: np.mean([dealt([40, 10], seed)[1] for seed in seeds]), 24.5, atol=4.5)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_random_split()

# %% [markdown]
r"""
## An epoch: every sample once

One pass over the data is an **epoch**. Its order is decided once, at its beginning, and *then* cut into batches:

```
samples          0  1  2  3  4  5  6  7  8  9
shuffled         7  2  9  0  5  1  8  3  6  4         one permutation for the whole epoch
batches of 4    [7  2  9  0][5  1  8  3][6  4]        the last one is smaller: drop_last leaves it out
```

Why not cut first and shuffle inside each batch? Then samples 0 to 3 would meet in every epoch. In a file that is sorted by class every batch would
hold a single class, and each gradient would pull the model towards that one alone. And why a new permutation each epoch? With the same
one, the same samples would always stand together, and what is peculiar to that company would be learnt as if it were true.

The permutation comes from a seed, so the same seed gives the same epoch. That is what lets a run be repeated, and lets an interrupted one go on in the
middle of an epoch: it is enough to remember the seed and how many batches are done.
"""

# %% nbgrader={"grade": false, "grade_id": "batch-indices", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def batch_indices(
    count: int,
    batch_size: int,
    shuffle: bool = False,
    drop_last: bool = False,
    seed: int | None = 0,
) -> list[np.ndarray]:
    """Return the row numbers of every batch of one epoch.

    Args:
        count: number of samples.
        batch_size: samples in a batch.
        shuffle: in random order, else in the order of the data set.
        drop_last: leave out a last batch that is smaller than the others.
        seed: decides the random order.

    Returns:
        Integer arrays of shape (batch_size,); the last may be shorter.

    TODO: an order for all samples, cut into pieces.
    APPROACH: 1. a permutation from np.random.default_rng(seed), or np.arange
        2. slices of batch_size  3. mind a short last one
    EXAMPLE:
        >>> [batch.tolist() for batch in batch_indices(5, 2)]
        [[0, 1], [2, 3], [4]]
        >>> [batch.tolist() for batch in batch_indices(5, 2, drop_last=True)]
        [[0, 1], [2, 3]]

    HINT: `range(0, stop, batch_size)` gives the starts; a slice may reach beyond the end.
    """
    ### BEGIN SOLUTION
    order = np.random.default_rng(seed).permutation(count) if shuffle else np.arange(count)
    stop = count - count % batch_size if drop_last else count
    return [order[start : start + batch_size] for start in range(0, stop, batch_size)]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-batch-indices", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_batch_indices():
    """Sizes with and without the last batch; everything once, in an order that the seed decides."""

    def rows(*sizes, **options):
        return [batch.tolist() for batch in batch_indices(*sizes, **options)]

    def mixed(seed):
        return rows(100, 8, shuffle=True, seed=seed)

    check_equal(lambda: rows(7, 3), [[0, 1, 2], [3, 4, 5], [6]])
    check_equal(lambda: rows(7, 3, drop_last=True), [[0, 1, 2], [3, 4, 5]])
    check_equal(lambda: sorted(np.concatenate(mixed(1)).tolist()), list(range(100)))
    check_close(lambda: np.mean([np.ptp(batch) for batch in mixed(1)]), 80, atol=35)
    ### BEGIN HIDDEN TESTS
    check_equal(lambda: [len(batch) for batch in rows(8, 4, drop_last=True)], [4, 4])
    check_equal(lambda: len(rows(3, 8)), 1)
    sizes = [8] * 12
    check_equal(lambda: [len(b) for b in rows(100, 8, shuffle=True, drop_last=True)], sizes)
    check_equal(lambda: mixed(1) == mixed(1), True)
    check_equal(lambda: mixed(2) != mixed(1), True)

    def first(seed):
        return batch_indices(4, 2, shuffle=True, seed=seed)[0].tolist()[0]

    check_equal(lambda: sorted({first(seed) for seed in range(60)}), [0, 1, 2, 3])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_batch_indices()

# %% [markdown]
r"""
## Luck that can be repeated

With what you have, a whole loader takes two lines:

```python
for rows in batch_indices(len(dataset), 64, shuffle=True, seed=epoch):
    x, y = dataset.gather(rows)
```

What is added now are transforms: functions of the inputs that throw dice, such as a random shift of every image. Where do their random numbers come from? Not from
one long sequence: batch 17 would then depend on the 16 batches before it, and a run that is resumed there, or a thread that works ahead, would see others. So
each batch gets a generator of its own, made of the epoch's seed *and the batch's number*:

```
np.random.default_rng((seed, number))         the pair (7, 1) and the pair (8, 0) have nothing in common, though both add up to 8
```
"""

# %% nbgrader={"grade": false, "grade_id": "noise-helpers", "locked": true, "schema_version": 3, "solution": false, "task": false}
def add_noise(inputs, rng):
    """A transform: one random number for the whole batch is added."""
    return inputs + np.float32(rng.random())


def zeros_with_noise(seed, number):
    """What transform_batch makes of three zeros with labels: [inputs, labels] as lists."""
    batch = np.zeros((3, 1), np.float32), np.arange(3)
    return [raw(field).tolist() for field in transform_batch(batch, add_noise, seed, number)]


def noise(seed, number):
    """The number that was added to the zeros."""
    return zeros_with_noise(seed, number)[0][0][0]


# %% nbgrader={"grade": false, "grade_id": "transform-batch", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def transform_batch(
    batch: tuple, transform: Callable | None, seed: int | None, number: int
) -> tuple:
    """The batch with its first field transformed; the other fields as they are.

    Args:
        batch: fields of shape (B, ...), the inputs first.
        transform: function of (inputs, rng), an array (B, ...) and a NumPy generator; or None.
        seed: the epoch's.
        number: the batch's place in the epoch.

    TODO: call the transform with random numbers that belong to this batch of this epoch.
    APPROACH: 1. without a transform, the batch itself  2. a generator from the pair (seed, number)
        3. the transform of the first field's array  4. let `as_field` wrap it; add the others
    EXAMPLE:
        >>> batch = np.float32([1, 2]), np.array([7, 8])
        >>> x, y = transform_batch(batch, lambda x, rng: 2 * x, 0, 0)
        >>> x.data, y.tolist()
        (array([2., 4.], dtype=float32), [7, 8])

    HINT: `raw(batch[0])` is an array, be it a Tensor or not; `(first, *batch[1:])` makes a tuple.
    """
    ### BEGIN SOLUTION
    if transform is None:
        return batch
    rng = np.random.default_rng((seed, number))
    inputs = np.asarray(transform(raw(batch[0]), rng))
    return as_field(inputs), *batch[1:]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-transform-batch", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_transform_batch():
    """The inputs only, and luck that depends on the seed and the number and on nothing else."""
    inputs, labels = np.float32([[1], [2]]), np.array([7, 8])
    same = transform_batch((inputs, labels), None, 3, 0)
    check_close(lambda: raw(same[0]), inputs)
    check_equal(lambda: zeros_with_noise(3, 0)[1], [0, 1, 2])
    check_equal(lambda: noise(3, 5) == noise(3, 5), True)
    check_equal(lambda: noise(3, 5) != noise(3, 6), True)
    check_equal(lambda: noise(3, 5) != noise(4, 5), True)
    ### BEGIN HIDDEN TESTS
    check_equal(lambda: noise(3, 5) != noise(4, 4), True)
    check_equal(lambda: noise(0, 3) != noise(3, 0), True)
    check_equal(lambda: len({noise(seed, k) for seed in range(5) for k in range(4)}), 20)
    check_equal(lambda: 0 < noise(1, 1) < 1, True)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_transform_batch()

# %% [markdown]
r"""
## The loader

Now the parts meet: the order of an epoch, a batch for each piece of it, an optional transform; and a place in the epoch to begin at, so that an interrupted
run can go on. What has been handed out already is left out *without being fetched*.
"""

# %% nbgrader={"grade": false, "grade_id": "epoch-batches", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def epoch_batches(loader: "DataLoader", seed: int | None, start: int) -> Iterator[tuple]:
    """Yield the batches of one epoch, from batch number `start` on.

    Args:
        loader: knows `dataset`, `batch_size`, `shuffle`, `drop_last`, `transform` and `collate_fn`
            (a function on a list of samples, or None).
        seed: decides the order of the epoch.
        start: how many batches to leave out at the beginning, without fetching them.

    TODO: the loop that everything else on this page serves.
    APPROACH: 1. the rows of every batch, from `batch_indices`  2. leave out the first `start`
        3. for each: `gather` it, or with a collate_fn call that on a list of its samples
        4. yield what transform_batch makes of it
    EXAMPLE:
        >>> loader = DataLoader(TensorDataset(np.arange(5)), batch_size=2)
        >>> [labels.tolist() for (labels,) in epoch_batches(loader, seed=0, start=1)]
        [[2, 3], [4]]

    HINT: `enumerate(order[start:], start)` gives each batch the number that it has in the
        whole epoch.
    """
    ### BEGIN SOLUTION
    count, size = len(loader.dataset), loader.batch_size
    order = batch_indices(count, size, loader.shuffle, loader.drop_last, seed)
    for number, indices in enumerate(order[start:], start):
        if loader.collate_fn is None:
            batch = loader.dataset.gather(indices)
        else:
            batch = loader.collate_fn([loader.dataset[i] for i in indices.tolist()])
        yield transform_batch(batch, loader.transform, seed, number)
    ### END SOLUTION


# %% [markdown]
r"""
The class that students of your framework will see is given. It checks its options, draws one seed for each epoch, and knows its place: `state_dict()` says in plain
numbers where it is, `load_state_dict()` makes the next loop go on from there. Your `epoch_batches` does the rest.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-dataloader", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def whole_number(name: str, value: Any, least: int) -> int:
    """Return `value` if it is a whole number of at least `least`; else raise ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, not {value!r}.")
    return int(value)


class DataLoader:
    """Batches of a data set: `for x, y in loader` is one epoch.

    Args:
        dataset: a Dataset with at least one sample.
        batch_size: samples in a batch.
        shuffle: a new random order each epoch.
        drop_last: leave out a last batch that is smaller than the others.
        collate_fn: makes a batch of a list of samples; by default the data set gathers
            its own batches.
        transform: function of (inputs, rng): the first field of a batch, an array (B, ...), and a
            NumPy generator.
        prefetch: how many batches a background thread prepares ahead; 0 is no thread.
        generator: where the epochs' seeds come from: a seed, a NumPy generator, or None for the
            course's own.

    Raises:
        TypeError: `dataset` is no Dataset.
        ValueError: no samples, no batch, or a batch size below 1.

    Example:
        >>> loader = DataLoader(TensorDataset(np.arange(5)), batch_size=2)
        >>> [labels.tolist() for (labels,) in loader]
        [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int = 1,
        shuffle: bool = False,
        *,
        drop_last: bool = False,
        collate_fn: Callable[[list[tuple]], tuple] | None = None,
        transform: Callable[[np.ndarray, np.random.Generator], np.ndarray] | None = None,
        prefetch: int = 0,
        generator: int | np.random.Generator | None = None,
    ) -> None:
        if not hasattr(dataset, "gather"):
            kind = type(dataset).__name__
            raise TypeError(
                f"DataLoader needs a Dataset, not {kind}: derive your class from Dataset."
            )
        self.batch_size = whole_number("batch_size", batch_size, 1)
        self.prefetch = whole_number("prefetch", prefetch, 0)
        if not len(dataset):
            raise ValueError("the data set is empty: there is nothing to load.")
        if drop_last and len(dataset) < self.batch_size:
            count = len(dataset)
            raise ValueError(
                f"drop_last leaves nothing of {count} samples in batches of {batch_size}."
            )
        self.dataset, self.shuffle, self.drop_last = dataset, shuffle, drop_last
        self.collate_fn, self.transform = collate_fn, transform
        self.generator = None if generator is None else np.random.default_rng(generator)
        self.place: dict[str, Any] = {"seed": None, "batch": 0}  # of the latest epoch
        self.resumed = False  # whether the next loop goes on from `place`

    def __len__(self) -> int:
        """Number of batches in an epoch."""
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[tuple]:
        if not self.resumed:
            lucky = self.shuffle or self.transform is not None
            seed = int(random_source(self.generator).integers(2**63)) if lucky else None
            self.place = {"seed": seed, "batch": 0}
        self.resumed = False
        return self.hand_out(self.place)

    def hand_out(self, place: dict[str, Any]) -> Iterator[tuple]:
        """Yield the batches from `place` on, and keep count."""
        batches = iter(epoch_batches(self, place["seed"], place["batch"]))
        for batch in prefetched(batches, self.prefetch) if self.prefetch else batches:
            place["batch"] += 1
            yield batch
        place.update(seed=None, batch=0)

    def state_dict(self) -> dict[str, Any]:
        """Where the loader is, in plain numbers, and what they belong to.

        They are the epoch's seed, how many batches are handed out, and the generator's state.
        """
        own = None if self.generator is None else self.generator.bit_generator.state
        return {**self.place, "generator": own, **self.layout()}

    def layout(self) -> dict[str, Any]:
        """What two loaders must have in common to hand out the same batches."""
        names = ("batch_size", "shuffle", "drop_last")
        return {"samples": len(self.dataset), **{name: getattr(self, name) for name in names}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Make the next loop go on where `state` was taken, in the same order, with the same luck.

        Raises:
            ValueError: the state is incomplete, or belongs to other data or other batches; then
                nothing is changed.
        """
        missing = self.state_dict().keys() - state.keys()
        if missing:
            raise ValueError(f"the loader's state lacks {', '.join(sorted(missing))}.")
        wrong = [
            f"{name} is {have}, in the state {state[name]}"
            for name, have in self.layout().items()
            if state[name] != have
        ]
        if wrong:
            raise ValueError(f"the state belongs to another loader: {'; '.join(wrong)}.")
        if (state["generator"] is None) != (self.generator is None):
            problem = "only one of the two has a generator of its own"
            raise ValueError(f"the state belongs to another loader: {problem}.")
        whole_number("the state's batch", state["batch"], 0)
        if self.generator is not None:
            self.generator.bit_generator.state = state["generator"]
        self.place = {"seed": state["seed"], "batch": state["batch"]}
        self.resumed = state["seed"] is not None or state["batch"] > 0


# %% [markdown]
r"""
While the model computes on one batch, a thread can prepare the next. `prefetched` keeps `depth` of them in the making. An exception inside the
thread waits in its future and is raised when that batch's turn comes; leaving the loop early closes the generator, whose `finally` ends the thread.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-prefetch", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
import warnings
from collections import deque
from concurrent.futures import ThreadPoolExecutor


def prefetched(batches: Iterator[tuple], depth: int) -> Iterator[tuple]:
    """Yield from `batches` while a background thread prepares up to `depth` of the next ones.

    What `batches` raises is raised here, at the batch that it belongs to. Closing the generator
    ends the thread. A Python that cannot start threads (one in a browser) prepares nothing ahead,
    and says so once.
    """
    end = object()
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prefetch")
    try:
        thread.submit(int)  # starts the thread, if there can be one
    except RuntimeError:
        problem = "this Python cannot start threads, so prefetch prepares no batch ahead."
        warnings.warn(problem, stacklevel=2)
        yield from batches
        return
    try:
        waiting = deque(thread.submit(next, batches, end) for _ in range(depth))
        while (batch := waiting.popleft().result()) is not end:
            waiting.append(thread.submit(next, batches, end))
            yield batch
    finally:
        thread.shutdown(wait=True, cancel_futures=True)


# %% nbgrader={"grade": false, "grade_id": "loader-helpers", "locked": true, "schema_version": 3, "solution": false, "task": false}
def epoch_of(loader, stop=None):
    """The batches of one epoch (or its first `stop`) as lists of arrays."""
    numbers = range(stop or len(loader) + 1)
    batches = (batch for _, batch in zip(numbers, loader, strict=False))
    return [[raw(field).copy() for field in batch] for batch in batches]


def labels_of(epoch):
    """All labels of an epoch in their order."""
    return np.concatenate([batch[-1] for batch in epoch]).tolist()


def pairs_kept(epoch):
    """Whether every label is the square of its own input."""
    return all(np.allclose(x[:, 0] ** 2, y) for x, y in epoch)


def count_down(samples):
    """A collate_fn: only the labels, negative."""
    return (np.array([-label for _, label in samples]),)


# %% nbgrader={"grade": true, "grade_id": "test-epoch-batches", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_epoch_batches():
    """Order, pairs, epochs, resuming, collate_fn and transform."""
    loader = DataLoader(Powers(7), batch_size=3)
    check_equal(lambda: [len(y) for _, y in epoch_of(loader)], [3, 3, 1])
    check_close(lambda: np.concatenate([x for x, _ in epoch_of(loader)])[:, 0], np.arange(7))
    loader = DataLoader(Powers(40), batch_size=8, shuffle=True, generator=1)
    order = [labels_of(epoch_of(loader)), labels_of(epoch_of(loader))]
    check_equal(lambda: order[0] != order[1], True)
    check_equal(lambda: pairs_kept(epoch_of(loader)), True)
    ### BEGIN HIDDEN TESTS
    check_equal(lambda: sorted(labels_of(epoch_of(loader))), [i * i for i in range(40)])
    again = DataLoader(Powers(40), batch_size=8, shuffle=True, generator=1)
    check_equal(lambda: labels_of(epoch_of(again)) == order[0], True)
    dropping = DataLoader(Powers(7), batch_size=3, drop_last=True)
    check_equal(lambda: len(epoch_of(dropping)), 2)
    powers = Powers(20)
    epoch_of(DataLoader(powers, batch_size=5))
    check_equal(lambda: (powers.gathered, powers.fetched), (4, 0))
    loader = DataLoader(Powers(4), batch_size=3, collate_fn=count_down)
    check_equal(lambda: [y.tolist() for (y,) in epoch_of(loader)], [[0, -1, -4], [-9]])
    noisy, collated = (
        DataLoader(Powers(4), batch_size=4, transform=add_noise, collate_fn=join, generator=2)
        for join in (None, lambda samples: (np.stack([x for x, _ in samples]),))
    )
    check_close(lambda: epoch_of(collated)[0][0], epoch_of(noisy)[0][0])
    whole, part, rest = (
        DataLoader(Powers(12), batch_size=4, shuffle=True, transform=add_noise, generator=2)
        for _ in range(3)
    )
    expected = epoch_of(whole)
    noise = [float(x[0, 0] - np.sqrt(y[0])) for x, y in expected]
    check_equal(lambda: len(set(noise)), 3)
    epoch_of(part, stop=1)
    rest.load_state_dict(part.state_dict())
    resumed = epoch_of(rest)
    check_equal(lambda: len(resumed), 2)
    check_equal(lambda: rest.dataset.gathered, 2)
    for k in (0, 1):
        check_close(lambda: resumed[k][0], expected[k + 1][0])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_epoch_batches()

# %% [markdown]
r"""
## When does a thread help?

Python runs one thread at a time: whoever holds the *global interpreter lock* (GIL). Matrix products, `take`, reading files and unpacking let go of it
while they work in C; a loop in Python does not. Below, the "model" is a chain of matrix products, and each batch comes from one of three sources: a
Python loop over every sample, unpacking compressed samples, and a gather. For which of them will prefetching shorten the epoch, and by how much at most?
"""


# %%
class PythonLoop(Dataset):
    """Samples that a loop in Python works out, number by number."""

    def __len__(self):
        return 640

    def __getitem__(self, index):
        return (np.float32([(index * k) % 17 for k in range(1_500)]),)


class Packed(Dataset):
    """Samples of 64 kB that lie compressed in memory, as they would in a file."""

    def __init__(self):
        rng = np.random.default_rng(0)
        numbers = rng.integers(0, 4, size=(16, 16_384), dtype=np.int32)
        self.packed = [zlib.compress(row.tobytes()) for row in numbers]

    def __len__(self):
        return 640

    def __getitem__(self, index):
        content = zlib.decompress(self.packed[index % 16])
        return (np.frombuffer(content, np.int32).astype(np.float32),)


def analyze_prefetch():
    """Milliseconds for an epoch of ten batches, with and without a thread ahead: best of 3."""
    weight = np.eye(512, dtype=np.float32)

    def epoch(dataset, prefetch):
        for _ in DataLoader(dataset, 64, prefetch=prefetch):
            for _ in range(4):
                weight @ weight

    ways = {
        "data": lambda dataset: deque(DataLoader(dataset, 64), maxlen=0),
        "alone": lambda dataset: epoch(dataset, 0),
        "ahead": lambda dataset: epoch(dataset, 2),
    }
    rows = TensorDataset(np.ones((640, 16_384), dtype=np.float32))
    for name, dataset in (("Python loop", PythonLoop()), ("unpacking", Packed()), ("gather", rows)):
        times = compare(ways, dataset, samples=3).values()
        data, alone, ahead = (timing.low_ms for timing in times)
        model = max(alone - data, 0)
        print(f"{name:12} data {data:4.0f} ms, model {model:4.0f} ms", end=", ")
        print(f"in turn {alone:5.0f} ms", end="")
        saved = f"saved {alone - ahead:.0f} ms of at most {min(data, model):.0f}"
        print(f", with prefetch {ahead:5.0f} ms: {saved}")


if __name__ == "__main__":
    analyze_prefetch()

# %% [markdown]
r"""
At best, an epoch takes as long as the slower of the two sides instead of their sum. Read your last column. Unpacking can come near that *if a core is free*: both sides
work in C, without the lock. (If your BLAS already uses every core, or the machine is busy with something else, there is nothing to win; start the page with
`OPENBLAS_NUM_THREADS=1` and compare.) Where the Python loop saves little, the lock is why: the loop holds it almost all the time, and between two products the main
thread needs it for a moment, and waits up to 5 ms until it is its turn (`sys.getswitchinterval()`). For the gather, compare what there is to hide with what a thread costs.

So measure before you add a thread; the first cure for slow Python is less Python. PyTorch starts processes instead (`num_workers`), which have a lock each but
must copy every batch from one process to the other.

## Images: shift, mirror, normalise

A cat shifted by two pixels, or looking the other way, is still a cat. Showing the model such variants costs no new data and teaches it what does not
matter (Krizhevsky et al., 2012, used exactly these two). Each image of a batch gets its own shift and its own coin toss.

```
padded by 1            window of 4 at top 1, left 0

. . . . . .
. a b c d .            . a b c
. e f g h .     ->     . e f g         everything has moved one pixel to the right,
. i j k l .            . i j k         and the last column is gone
. m n o p .            . m n o
. . . . . .
```

`RandomCrop` and `RandomHorizontalFlip` throw the dice. Write the cut itself: each image at its own place.
"""

# %% nbgrader={"grade": false, "grade_id": "crop-each", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def crop_each(images: np.ndarray, tops: np.ndarray, lefts: np.ndarray, size: int) -> np.ndarray:
    """Cut a square window out of each image, each at its own place.

    Args:
        images: shape (N, C, H, W).
        tops: the first row of each window, shape (N,), in 0 .. H - size.
        lefts: the first column of each window, shape (N,), in 0 .. W - size.
        size: side of the windows in pixels.

    Returns:
        A new array of shape (N, C, size, size) and of the same dtype.

    TODO: N windows.
    APPROACH: 1. an empty array for the result
        2. for each image, copy rows top .. top + size and columns left .. left + size
    EXAMPLE:
        >>> crop_each(np.arange(9).reshape(1, 1, 3, 3), np.array([1]), np.array([0]), 2).tolist()
        [[[[3, 4], [6, 7]]]]

    HINT: rows are the axis before the last; the channels are cut alike.
    """
    ### BEGIN SOLUTION
    N, C = images.shape[:2]
    windows = np.empty((N, C, size, size), dtype=images.dtype)
    for i, (top, left) in enumerate(zip(tops.tolist(), lefts.tolist(), strict=True)):
        windows[i] = images[i, :, top : top + size, left : left + size]  # (C, size, size)
    return windows
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-crop-each", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_crop_each():
    """One window by hand, and each image at its own place."""
    images = np.arange(32, dtype=np.float32).reshape(2, 1, 4, 4)
    expected = [[[[6, 7], [10, 11]]], [[[16, 17], [20, 21]]]]
    check_close(lambda: crop_each(images, np.array([1, 0]), np.array([2, 0]), 2), expected)
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(5)
    images = rng.normal(size=(5, 3, 6, 9)).astype(np.float32)
    tops, lefts = np.array([0, 2, 1, 2, 0]), np.array([5, 0, 3, 5, 1])
    expected = np.stack(
        [image[:, t : t + 4, w : w + 4] for image, t, w in zip(images, tops, lefts, strict=True)]
    )
    check_close(lambda: crop_each(images, tops, lefts, 4), expected)
    check_equal(lambda: np.asarray(crop_each(images, tops, lefts, 4)).dtype.name, "float32")
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_crop_each()


# %% [markdown]
r"""
The dice, and the zeros around the images, stand in the folded cell.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-crop-and-flip", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class RandomCrop:
    """Cut a random square out of each image of a batch.

    Args:
        size: side of the square in pixels.
        padding: zeros added on each side before.

    Example:
        >>> RandomCrop(28, padding=2)(np.ones((5, 1, 28, 28), np.float32), 0).shape
        (5, 1, 28, 28)
    """

    def __init__(self, size: int, padding: int = 0) -> None:
        self.size = whole_number("size", size, 1)
        self.padding = whole_number("padding", padding, 0)

    def __call__(
        self, images: np.ndarray, rng: int | np.random.Generator | None = None
    ) -> np.ndarray:
        """Images of shape (N, C, size, size) from images of shape (N, C, H, W)."""
        N, C, H, W = images.shape
        p = self.padding
        if self.size > min(H, W) + 2 * p:
            raise ShapeError(
                f"RandomCrop: no square of {self.size} fits into {H} x {W} pixels with padding {p}."
            )
        if p:
            padded = np.zeros((N, C, H + 2 * p, W + 2 * p), dtype=images.dtype)
            padded[:, :, p : p + H, p : p + W] = images
            images = padded
        source = random_source(rng)
        tops = source.integers(0, H + 2 * p - self.size, size=N, endpoint=True)
        lefts = source.integers(0, W + 2 * p - self.size, size=N, endpoint=True)
        return crop_each(images, tops, lefts, self.size)


class RandomHorizontalFlip:
    """Mirror each image of a batch, left to right, with probability `p`."""

    def __init__(self, p: float = 0.5) -> None:
        if not 0 <= p <= 1:
            raise ValueError(f"p must be between 0 and 1, not {p}.")
        self.p = p

    def __call__(
        self, images: np.ndarray, rng: int | np.random.Generator | None = None
    ) -> np.ndarray:
        """Images of the same shape (N, C, H, W), some of them mirrored."""
        chosen = random_source(rng).random(len(images)) < self.p
        flipped = images.copy()
        flipped[chosen] = images[chosen, :, :, ::-1]
        return flipped


# %% [markdown]
r"""
Networks learn fastest from inputs around 0 with a spread around 1 (LeCun et al., *Efficient BackProp*, 1998). So each colour channel is shifted and scaled:

$$x'_{nchw} = \frac{x_{nchw} - \mu_c}{\sigma_c}$$

with one $\mu_c$ and one $\sigma_c$ per channel, taken from the **training set, once**. Not from the batch at hand: a batch of dark
images would come out as bright as any other, a single test image would depend on its neighbours, and the model would meet other numbers in use than in
training. They are constants, like weights.
"""

# %% nbgrader={"grade": false, "grade_id": "normalize", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class Normalize:
    """Shift and scale each channel by constants.

    Args:
        mean, std: one number per channel, shape (C,), in the units of the pixels.

    Raises:
        ValueError: different lengths, or a std that is not above 0.

    TODO: the formula.
    APPROACH: 1. give `mean` and `std` the shape (C, 1, 1)  2. subtract, divide
    EXAMPLE:
        >>> Normalize([0.5], [0.25])(np.ones((1, 1, 1, 2), np.float32)).tolist()
        [[[[2.0, 2.0]]]]

    HINT: shapes are aligned at the right, so (C,) alone would meet the columns of the image.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        self.mean, self.std = np.float32(mean), np.float32(std)
        if self.mean.ndim != 1 or self.mean.shape != self.std.shape or not np.all(self.std > 0):
            raise ValueError(
                f"Normalize needs a mean and a std above 0 for each channel, not {mean} and {std}."
            )

    def __call__(self, images: np.ndarray, rng: Any = None) -> np.ndarray:
        """Images of the same shape (N, C, H, W); every transform is called alike, hence `rng`."""
        have, want = images.shape[-3], len(self.mean)
        if have != want:
            raise ShapeError(
                f"Normalize: images of shape {images.shape} have {have} channels, not {want}."
            )
        ### BEGIN SOLUTION
        mean, std = self.mean[:, None, None], self.std[:, None, None]  # (C, 1, 1)
        return (images - mean) / std
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-normalize", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_normalize():
    """Constants per channel, whatever the batch holds."""
    images = np.ones((1, 2, 2, 2), np.float32)
    check_close(
        lambda: Normalize([0, 3], [1, 2])(images), [[[[1, 1], [1, 1]], [[-1, -1], [-1, -1]]]]
    )
    ### BEGIN HIDDEN TESTS
    x = np.random.default_rng(4).random((6, 3, 5, 3), dtype=np.float32)
    mean, std = np.float32([0.2, 0.5, 0.9]), np.float32([0.1, 0.5, 2.0])
    expected = np.stack([(x[:, c] - mean[c]) / std[c] for c in range(3)], axis=1)
    check_close(lambda: Normalize(mean, std)(x), expected)
    check_close(lambda: Normalize(mean, std)(x[2:3]), expected[2:3])
    check_equal(lambda: np.asarray(Normalize(mean, std)(x)).dtype.name, "float32")
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_normalize()

# %% [markdown]
r"""
A chain of transforms is a function that calls them in turn, and says so:

```python
def augment(images, rng):
    images = RandomCrop(28, padding=2)(images, rng)
    images = RandomHorizontalFlip()(images, rng)
    return Normalize([0.1307], [0.3081])(images)

train_loader = DataLoader(train, 64, shuffle=True, transform=augment)
test_loader = DataLoader(test, 256, transform=Normalize([0.1307], [0.3081]))
```

(What would you leave out for digits? A mirrored 3 is not a 3.)

## A file format, byte by byte

MNIST comes as IDX files, a format of 1998 that you can read with a pencil. A header, then the numbers in one row:

```
byte    0   1     2      3        4 .. 7          8 .. 11         12 .. 15
        0   0   type   axes    size of axis 0  size of axis 1  size of axis 2    then the data, last axis fastest
        0   0   0x08     3     00 00 EA 60     00 00 00 1C     00 00 00 1C       60,000 x 28 x 28 bytes
```

Numbers of several bytes are **big-endian**: the most significant byte first, as we write numbers on paper. Your processor most likely keeps them the other way round
(*little-endian*), where `00 00 EA 60` would be 1,625,948,160 images.

A reader meets files that are cut short, or that are something else altogether. It must notice *before* it makes an array of a wrong shape: the
length of the file is known, so is the length that the header promises.
"""

# %% nbgrader={"grade": false, "grade_id": "idx-types", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
IDX_TYPES = {  # type byte -> big-endian dtype
    0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8",
}  # fmt: skip


# %% nbgrader={"grade": false, "grade_id": "parse-idx", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def parse_idx(content: np.ndarray) -> np.ndarray:
    """Turn the bytes of an IDX file into the array that they describe.

    Args:
        content: the whole file, uint8, shape (bytes,).

    Returns:
        Array of the shape and the kind of numbers that the header names, in the machine's own
            byte order.

    Raises:
        ValueError: not an IDX file, or not as long as its header says.

    TODO: read the header, check the length, read the numbers.
    APPROACH: 1. two zeros and a known type, else ValueError  2. the sizes, four bytes each
        3. compare lengths  4. view and reshape
    EXAMPLE:
        >>> parse_idx(np.array([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9], dtype=np.uint8))
        array([7, 8, 9], dtype=uint8)

    HINT: `content[4:8].view(">u4")` reads four bytes as one big-endian number;
        `.astype(dtype.newbyteorder("="))` turns an array round.
    """
    ### BEGIN SOLUTION
    if len(content) < 4 or content[0] or content[1] or int(content[2]) not in IDX_TYPES:
        raise ValueError(f"not an IDX file: it begins with the bytes {content[:4].tolist()}.")
    dtype, start = np.dtype(IDX_TYPES[int(content[2])]), 4 + 4 * int(content[3])
    if len(content) < start:
        raise ValueError(f"the file ends inside its header: {len(content)} of {start} bytes.")
    shape = tuple(content[4:start].view(">u4").tolist())
    promised = start + prod(shape) * dtype.itemsize
    if len(content) != promised:
        raise ValueError(f"the file has {len(content)} bytes, but shape {shape} needs {promised}.")
    return content[start:].view(dtype).astype(dtype.newbyteorder("=")).reshape(shape)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-parse-idx", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_parse_idx():
    """A table of bytes, and files that are not what they say."""
    file = np.array([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6], dtype=np.uint8)
    check_close(lambda: parse_idx(file), [[1, 2, 3], [4, 5, 6]])
    check_raises(ValueError, lambda: parse_idx(file[:-1]))
    ### BEGIN HIDDEN TESTS
    long = np.concatenate(
        [np.array([0, 0, 8, 1, 0, 0, 1, 2], dtype=np.uint8), np.zeros(258, dtype=np.uint8)]
    )
    check_equal(lambda: parse_idx(long).shape, (258,))
    empty = np.array([0, 0, 8, 1, 0, 0, 0, 0], dtype=np.uint8)
    check_equal(lambda: parse_idx(empty).shape, (0,))
    for code, kind in ((0x09, ">i1"), (0x0B, ">i2"), (0x0C, ">i4"), (0x0D, ">f4"), (0x0E, ">f8")):
        values = np.array([[1, -2], [100, 3]]).astype(kind)
        whole = np.concatenate(
            [
                np.array([0, 0, code, 2, 0, 0, 0, 2, 0, 0, 0, 2], dtype=np.uint8),
                np.frombuffer(values.tobytes(), np.uint8),
            ]
        )
        check_close(lambda: parse_idx(whole), values.astype(np.float64))
        check_equal(lambda: parse_idx(whole).dtype.isnative, True)
    broken = {
        "with a byte too many": np.append(file, np.uint8(0)),
        "of an unknown type": np.append(np.uint8([0, 0, 7]), file[3:]),
        "that begins with 1": np.append(np.uint8([1]), file[1:]),
        "that begins with 0 1": np.append(np.uint8([0, 1]), file[2:]),
        "of 3 bytes": file[:3],
        "that ends in its header": file[:9],
    }
    for content in broken.values():
        check_raises(ValueError, lambda: parse_idx(content))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_parse_idx()

# %% [markdown]
r"""
## Real data sets

Given from here on, folded, in the same style; open what you are curious about. `Digits` lies beside the course and needs no network. `MNIST` and
`CIFAR10` read files from a folder, and fetch them when you say `download=True`.

A download is code that other people's computers write to your disk, so it trusts nothing. It goes to a `.part` file, which a later attempt continues (an HTTP
`Range` request); only when its SHA-256 is the one written here does it get its real name, in one step. And nothing that comes from
outside is unpickled, since a pickle is a program. CIFAR-10 exists as pickles and as plain bytes, with the same images; we read the plain bytes.

Images stay in memory as they come, one byte per pixel; the batch becomes float32 in $[0, 1]$. Does that save memory at the price of
time? We measure it below.
"""


# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-image-datasets", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
import gzip
import hashlib
import os
import tarfile
import zlib
from collections.abc import Iterable
from http.client import HTTPException
from pathlib import Path
from typing import ClassVar
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import tinytorch


class ImageDataset(TensorDataset):
    """Images of one byte per pixel with their class numbers; batches come as float32 in [0, 1].

    Args:
        images: uint8, shape (N, C, H, W).
        labels: integers in 0 .. classes - 1, shape (N,).
        classes: how many classes there are.
        white: the pixel value that becomes 1.

    Raises:
        ShapeError: not as many labels as images, or not four axes.
        ValueError: a label out of range.
    """

    def __init__(
        self, images: np.ndarray, labels: np.ndarray, classes: int = 10, white: int = 255
    ) -> None:
        if images.ndim != 4 or images.dtype != np.uint8 or labels.shape != (len(images),):
            raise ShapeError(
                f"images of shape {images.shape} and {images.dtype} "
                f"with labels of shape {labels.shape}: "
                f"uint8 images (N, C, H, W) and labels (N,) are needed."
            )
        wrong = np.flatnonzero((labels < 0) | (labels >= classes))
        if wrong.size:
            label = labels[wrong[0]]
            raise ValueError(
                f"sample {wrong[0]} has the label {label}: there are classes 0 to {classes - 1}."
            )
        super().__init__(images, labels.astype(np.intp))
        self.scale = np.float32(1 / white)

    def __getitem__(self, index: int) -> tuple:
        image, label = super().__getitem__(index)
        return wrap(image * self.scale), label  # (C, H, W)

    def gather(self, indices: Sequence[int] | np.ndarray) -> tuple:
        """Images (B, C, H, W) as a Tensor, labels (B,)."""
        images, labels = super().gather(indices)
        return wrap(images * self.scale), labels


def print_progress(name: str, received: int, total: int) -> None:
    """Show on one line how far a download is, in megabytes."""
    end = "\n" if received == total else ""
    print(f"\r{name}: {received / 1e6:.1f} of {total / 1e6:.1f} MB", end=end, flush=True)


CHUNK = 1 << 18  # bytes read at a time
TIMEOUT = 30  # seconds without a byte
ATTEMPTS = 3  # at each mirror


def receive(url: str, part: Path, report: Callable[[str, int, int], None]) -> None:
    """Append to `part` what it still lacks of the file at `url`.

    Raises:
        OSError: no connection, a refusal, or an end before the end.
    """
    have = part.stat().st_size if part.is_file() else 0
    headers = {"User-Agent": "tinytorch", **({"Range": f"bytes={have}-"} if have else {})}
    request = Request(url, headers=headers)
    with urlopen(request, timeout=TIMEOUT) as response, part.open("ab") as file:
        if response.status != 206:  # the server sends the whole file
            file.truncate(0)
            have = 0
        total = have + int(response.headers.get("Content-Length") or 0)
        while chunk := response.read(CHUNK):
            file.write(chunk)
            have += len(chunk)
            report(part.stem, have, max(have, total))
    if have < total:
        raise ConnectionError(f"the connection ended after {have} of {total} bytes")


def download(
    name: str,
    sha256: str,
    folder: str | Path,
    mirrors: Iterable[str],
    report: Callable[[str, int, int], None] = print_progress,
) -> Path:
    """Return the file `name` in `folder`, fetched from the first mirror that has it.

    A file that is there already is not fetched.

    Args:
        name: the file's name, here and at the mirrors.
        sha256: what its content must hash to, in hexadecimal.
        folder: where it is kept; a broken-off download stays there as `name.part`, to be continued.
        mirrors: base addresses, each ending in "/".
        report: called with the name, the bytes received and the bytes in all.

    Raises:
        OSError: no mirror had it; the message says why for each.
    """
    path = Path(folder) / name
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{name}.part")
    problems = []
    for mirror in mirrors:
        for _ in range(ATTEMPTS):
            begun = part.is_file()
            try:
                receive(mirror + name, part, report)
            except (OSError, HTTPException) as error:
                problems.append(f"{mirror}: {error}")
                if isinstance(error, HTTPError) and error.code == 416:  # nothing after our part
                    part.unlink()
                elif isinstance(error, HTTPError) and error.code < 500:
                    break
                continue
            with part.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found == sha256:
                os.replace(part, path)
                return path
            problems.append(f"{mirror}: SHA-256 is {found[:12]}..., not {sha256[:12]}...")
            part.unlink()
            if not begun:  # the whole was wrong; a continued one may have begun wrong
                break
    causes = "; ".join(dict.fromkeys(problems))
    raise OSError(f"{name} could not be downloaded ({causes}): put it into {path.parent} yourself.")


def find_file(name: str, sha256: str, folder: Path, fetch: bool, mirrors: Iterable[str]) -> Path:
    """The file `name` in `folder`, packed or unpacked, downloaded if `fetch` says so.

    Raises:
        FileNotFoundError: it is not there and shall not be downloaded.
    """
    for path in (folder / name, folder / name.removesuffix(".gz")):
        if path.is_file():
            return path
    if not fetch:
        raise FileNotFoundError(
            f"{folder / name} is missing: pass download=True, or put the file there yourself."
        )
    return download(name, sha256, folder, mirrors)


def data_folder(root: str | Path | None, name: str) -> Path:
    """Where a data set's files are: in `root`, or in TINYTORCH_DATA, or in the user's cache."""
    cache = Path.home() / ".cache" / "tinytorch"
    return Path(root or os.environ.get("TINYTORCH_DATA") or cache) / name


def read_idx(path: str | Path) -> np.ndarray:
    """Read an IDX file, gzipped or not.

    Raises:
        ValueError: the file is damaged; the message names it.
    """
    content = Path(path).read_bytes()
    try:
        if content[:2] == b"\x1f\x8b":  # how every gzip file begins
            content = gzip.decompress(content)
        return parse_idx(np.frombuffer(content, dtype=np.uint8))
    except (ValueError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path} is damaged ({error}): delete it and download it again.") from None


class Digits(ImageDataset):
    """1,797 handwritten digits of 8 x 8 pixels that come with the course.

    See datasets/digits/README.md.

    Args:
        root: the folder of data sets; by default `datasets` beside the package.

    Raises:
        FileNotFoundError: there is no `digits/digits.csv` in it.
    """

    def __init__(self, root: str | Path | None = None) -> None:
        folder = Path(root or Path(tinytorch.__file__).parents[1] / "datasets")
        table = np.loadtxt(folder / "digits" / "digits.csv", delimiter=",", dtype=np.uint8)
        super().__init__(table[:, :64].reshape(-1, 1, 8, 8), table[:, 64], white=16)


class MNIST(ImageDataset):
    """70,000 handwritten digits of 28 x 28 pixels (LeCun, Cortes and Burges, 1998).

    60,000 are to train, 10,000 to test.

    Args:
        root: the folder of data sets (default: TINYTORCH_DATA, or `~/.cache/tinytorch`); the files
            are in its folder `mnist`.
        train: the training set or the test set.
        download: fetch missing files.
        mirrors: base addresses, each ending in "/".

    Raises:
        FileNotFoundError, OSError: missing files; no mirror had them.
        ValueError: a damaged file; images and labels that do not match.
    """

    home = (
        "http://yann.lecun.com/exdb/mnist/",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
    )
    files: ClassVar[dict[str, str]] = {
        "train-images-idx3-ubyte.gz":
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "train-labels-idx1-ubyte.gz":
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "t10k-images-idx3-ubyte.gz":
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "t10k-labels-idx1-ubyte.gz":
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    }

    def __init__(
        self,
        root: str | Path | None = None,
        train: bool = True,
        download: bool = False,
        mirrors: Sequence[str] = home,
    ) -> None:
        folder, part = data_folder(root, "mnist"), "train" if train else "t10k"
        names = (f"{part}-images-idx3-ubyte.gz", f"{part}-labels-idx1-ubyte.gz")
        paths = [find_file(name, self.files[name], folder, download, mirrors) for name in names]
        images, labels = (read_idx(path) for path in paths)
        super().__init__(images[:, None], labels)  # (N, 28, 28) -> (N, 1, 28, 28)


class CIFAR10(ImageDataset):
    """60,000 colour photographs of 32 x 32 pixels in ten classes (Krizhevsky, 2009).

    50,000 are to train, 10,000 to test. The binary version: 3,073 bytes an image, its label and
    then 1,024 bytes each of red, green and blue. It is read straight from the archive.

    Args:
        root: the folder of data sets (default: TINYTORCH_DATA, or `~/.cache/tinytorch`); the
            archive is in its folder `cifar10`.
        train: the training set or the test set.
        download: fetch a missing archive (170 MB).
        mirrors: base addresses, each ending in "/".

    Raises:
        FileNotFoundError, OSError: no archive; no mirror had it.
        ValueError: a damaged archive.
    """

    home = ("https://www.cs.toronto.edu/~kriz/",)
    files: ClassVar[dict[str, str]] = {
        "cifar-10-binary.tar.gz": "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
    }
    classes = (
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
    )  # fmt: skip

    def __init__(
        self,
        root: str | Path | None = None,
        train: bool = True,
        download: bool = False,
        mirrors: Sequence[str] = home,
    ) -> None:
        ((name, sha256),) = self.files.items()
        path = find_file(name, sha256, data_folder(root, "cifar10"), download, mirrors)
        wanted = [f"data_batch_{i}.bin" for i in range(1, 6)] if train else ["test_batch.bin"]
        parts = [self.records(content) for content in self.members(path, wanted)]
        records = np.concatenate(parts)  # (N, 3073)
        super().__init__(records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0])

    @staticmethod
    def members(path: Path, wanted: Sequence[str]) -> list[bytes]:
        """The contents of some files of an archive, in order; nothing is written to disk."""
        found = {}
        try:
            with gzip.open(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
                for member in archive:
                    name = member.name.rpartition("/")[2]
                    if name in wanted and member.isfile():
                        found[name] = archive.extractfile(member).read()
                while stream.read(CHUNK):  # the checksum of the whole stands at its end
                    pass
            return [found[name] for name in wanted]
        except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, KeyError) as error:
            problem = f"{path} is damaged ({error})"
            raise ValueError(f"{problem}: delete it and download it again.") from None

    @staticmethod
    def records(content: bytes) -> np.ndarray:
        """One row of 3,073 bytes per image."""
        if not content or len(content) % 3073:
            raise ValueError(
                f"a CIFAR-10 file of {len(content)} bytes does not hold whole images of 3073."
            )
        return np.frombuffer(content, dtype=np.uint8).reshape(-1, 3073)


# %%
def analyze_epoch():
    """An epoch of 60,000 images of 28 x 28 in batches of 64: memory kept, time, memory on top."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, size=(60_000, 1, 28, 28), dtype=np.uint8)
    labels = rng.integers(0, 10, size=60_000)
    small = ImageDataset(pixels, labels)
    large = TensorDataset(pixels.astype(np.float32), labels)

    def epoch(dataset, shuffle):
        deque(DataLoader(dataset, 64, shuffle=shuffle), maxlen=0)

    ways = {
        "in order": lambda dataset: epoch(dataset, False),
        "shuffled": lambda dataset: epoch(dataset, True),
    }
    totals = []
    for name, dataset in (("bytes", small), ("float32", large)):
        kept = sum(array.nbytes for array in dataset.arrays) / 2**20
        times = compare(ways, dataset, samples=5).values()
        straight, mixed = (timing.low_ms for timing in times)
        extra = peak_bytes(epoch, dataset, True) / 2**20
        totals.append((kept, mixed))
        print(f"{name:8} {kept:4.0f} MiB kept, {extra:.1f} MiB on top", end=", ")
        print(f"{straight:4.0f} ms in order, {mixed:4.0f} ms shuffled")
    memory, time = (ours / theirs for ours, theirs in zip(*totals, strict=True))
    print(f"bytes take {memory:.2f} of the memory and {time:.2f} of the time of float32")
    shuffling = bench(rng.permutation, 60_000).low_ms
    copying = bench(lambda: large.arrays[0][rng.permutation(60_000)], samples=3).low_ms
    print(f"shuffling 60,000 row numbers: {shuffling:.2f} ms", end="; ")
    print(f"copying all images into shuffled order: {copying:.0f} ms")


if __name__ == "__main__":
    analyze_epoch()

# %% [markdown]
r"""
The bytes need a quarter of the memory for the images. What they cost in time is your figure above: each batch is multiplied to make floats of it, and a quarter of the
traffic pays for some of that; below 1 it pays for all. Shuffling the row numbers is nearly
free, since it moves 8-byte row numbers and not 3-kB images, and an epoch needs little more than those numbers and a batch or two, however large the data set. When images are photographs of a
megabyte, the same idea carries on: keep them packed, and unpack a batch at a time.
"""

# %% [markdown]
r"""
## The whole module

Real digits, dealt out to train and test, pass by in shuffled batches. From each batch we add up the images of every class; when the epoch is over we have ten mean
digits, without ever holding more than 64 images at once. An unseen digit is named after the mean that it is nearest to. If a single label lost its
image on the way, these means would blur.
"""

# %% nbgrader={"grade": false, "grade_id": "class-means", "locked": true, "schema_version": 3, "solution": false, "task": false}
def class_means(loader):
    """Mean image of each of the ten classes, from one pass over the batches: (10, 64)."""
    totals, counts = np.zeros((10, 64)), np.zeros((10, 1))
    for x, y in loader:
        np.add.at(totals, y, raw(x))
        np.add.at(counts, y, 1)
    return totals / counts


def share_right(loader, means):
    """Share of the samples whose class mean is the nearest one, and how many there were."""
    right = total = 0
    for x, y in loader:
        distances = ((raw(x)[:, None] - means) ** 2).sum(axis=2)  # (B, 1, 64) - (10, 64) -> (B, 10)
        right, total = right + int((distances.argmin(axis=1) == y).sum()), total + len(y)
    return right / total, total


# %% nbgrader={"grade": true, "grade_id": "test-module-dataloader", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_module():
    """The parts together: split, shuffle, load in the background, and read real digits."""
    pixels, labels = load_digits()
    train, test = random_split(TensorDataset(pixels, labels), [0.8, 0.2], generator=0)
    means = class_means(DataLoader(train, batch_size=64, shuffle=True, generator=0, prefetch=2))
    tested = DataLoader(test, batch_size=100)
    check_equal(lambda: share_right(tested, means)[1], 359)
    check_equal(lambda: share_right(tested, means)[0] > 0.85, True)
    ### BEGIN HIDDEN TESTS
    options = {"batch_size": 64, "shuffle": True, "generator": 7}
    whole = labels_of(epoch_of(DataLoader(train, **options)))
    interrupted, resumed = DataLoader(train, **options), DataLoader(train, **options)
    begun = labels_of(epoch_of(interrupted, stop=9))
    resumed.load_state_dict(interrupted.state_dict())
    check_equal(lambda: begun + labels_of(epoch_of(resumed)), whole)
    ahead = DataLoader(train, prefetch=3, **options)
    check_equal(lambda: labels_of(epoch_of(ahead)), whole)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_module()


# %%
def show_means(means):
    """Draw the mean image of each class."""
    fig, axes = plt.subplots(2, 5, figsize=(5, 2.4))
    for digit, (ax, mean) in enumerate(zip(axes.flat, means, strict=True)):
        ax.imshow(mean.reshape(8, 8), cmap="gray_r")
        ax.set_title(str(digit), fontsize=9)
        ax.axis("off")
    show(fig, alt="The mean images of the ten classes: blurred digits, each of them readable")


def analyze_digits():
    """The mean digits, and how many unseen ones are nearest to the mean of their own class."""
    train, test = random_split(TensorDataset(*load_digits()), [0.8, 0.2], generator=0)
    means = class_means(DataLoader(train, batch_size=64, shuffle=True, generator=0))
    right, total = share_right(DataLoader(test, batch_size=100), means)
    print(f"{right:.3f} of {total} unseen digits are nearest to the mean of their own class")
    show_means(means)


if __name__ == "__main__":
    analyze_digits()

# %% [markdown]
r"""
**Question.** Suppose that `RandomCrop`, inside a loader with `prefetch=2`, drew its random numbers from the course's generator, as dropout in the model does. Nothing
crashes. What goes wrong with an experiment that sets `manual_seed(0)`, and how does the loader of this page avoid it?
"""

# %% [markdown] nbgrader={"grade": true, "grade_id": "q-prefetch-random", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
r"""
Two threads would draw from one sequence of random numbers, and who comes first is decided by the operating system. So the same seed would give other crops
*and* other dropout masks in every run: the experiment could not be repeated, nor resumed, since a saved generator would already be a few batches ahead of the
model. Here each epoch takes a single number from the course's generator, in the main thread, and every batch makes a generator of its own from that number and its position. Who is first no
longer matters.
"""

# %% [markdown]
r"""
**To think about.** Your test set is always loaded in the same order, with the same batch size. Must the accuracy be the same if you shuffle it? And the mean of the batches' losses?

Images now arrive faster than any model on this machine can look at them. So far each was flattened to a row of pixels, and neighbours were strangers. **Module 09: Convolution** lets
a network see that they are side by side.
"""
