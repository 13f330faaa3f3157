"""Random data loaders: the batches of PyTorch's in order, and in random order each sample once."""

import numpy as np
import torch
from torch.utils import data as theirs

from tinytorch.data import DataLoader, Subset, TensorDataset


def run(seed: int) -> None:
    """One case: a data set of random shape, read in batches with random options, sometimes cut off and resumed.

    Raises:
        AssertionError: batches differ, or a sample is missing or doubled.
    """
    rng = np.random.default_rng(seed)
    count, batch_size = int(rng.integers(1, 30)), int(rng.integers(1, 8))
    drop_last = bool(rng.integers(2)) and count >= batch_size
    x = rng.normal(size=(count, *rng.integers(1, 4, size=int(rng.integers(0, 3))))).astype(np.float32)
    labels = np.arange(count)
    dataset, other = TensorDataset(x, labels), theirs.TensorDataset(torch.tensor(x), torch.tensor(labels))
    if rng.integers(2):
        chosen = rng.integers(0, count, size=max(1, count // 2) if not drop_last else count)
        dataset, other = Subset(dataset, chosen), theirs.Subset(other, chosen.tolist())
    prefetch = int(rng.integers(0, 3)) if seed % 10 == 0 else 0
    options = {"batch_size": batch_size, "drop_last": drop_last}
    ours = [(a.data, b) for a, b in DataLoader(dataset, **options, prefetch=prefetch)]
    expected = [(a.numpy(), b.numpy()) for a, b in theirs.DataLoader(other, **options)]
    assert len(ours) == len(expected) == len(DataLoader(dataset, **options))
    for mine, batch in zip(ours, expected, strict=True):
        for part, value in zip(mine, batch, strict=True):
            np.testing.assert_array_equal(part, value)
    loader = DataLoader(dataset, **options, shuffle=True, generator=seed)
    whole = [b.tolist() for _, b in loader]
    seen = sorted(n for batch in whole for n in batch)
    everything = sorted(int(dataset[i][1]) for i in range(len(dataset)))
    if not drop_last:
        assert seen == everything
    assert [len(batch) for batch in whole] == [len(b) for _, b in expected]
    again, stop = DataLoader(dataset, **options, shuffle=True, generator=seed), int(rng.integers(0, len(whole) + 1))
    started = iter(again)
    begun = [next(started)[1].tolist() for _ in range(stop)]
    resumed = DataLoader(dataset, **options, shuffle=True, generator=0)
    resumed.load_state_dict(again.state_dict())
    rest = [b.tolist() for _, b in resumed] if stop < len(whole) else []
    assert begun + rest == whole
