"""Where Python cannot start threads, as in a browser, prefetching becomes none; indices fit the machine."""

import threading

import numpy as np
import pytest

from tinytorch.core.autograd import no_grad
from tinytorch.core.tensor import Tensor
from tinytorch.data.loader import DataLoader, ImageDataset, TensorDataset


def batches(prefetch: int) -> list[list[int]]:
    loader = DataLoader(TensorDataset(np.arange(10)), batch_size=3, shuffle=True, prefetch=prefetch, generator=1)
    return [labels.tolist() for (labels,) in loader]


def test_the_same_batches_without_threads(monkeypatch):
    expected = batches(0)

    def start(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.warns(UserWarning, match="cannot start threads") as warned:
        assert batches(2) == expected
    assert len(warned) == 1


def test_prefetching_under_no_grad_leaves_the_training_recording():
    def quiet(images, rng):
        with no_grad():
            return (Tensor(images) * 2).data

    w = Tensor([1.0], requires_grad=True)
    loader = DataLoader(TensorDataset(np.ones((50, 1), np.float32)), transform=quiet, prefetch=3)
    for (x,) in loader:
        loss = (w * x).sum()
        assert loss.requires_grad
        loss.backward()
    assert w.grad.tolist() == [100]


def test_labels_are_indices_of_the_machine():
    dataset = ImageDataset(np.zeros((2, 1, 2, 2), np.uint8), np.array([1, 0], np.uint8))
    assert dataset.gather([0, 1])[1].dtype == np.intp
