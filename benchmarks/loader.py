"""One pass over 60,000 samples in shuffled batches of 64."""

import numpy as np

from benchmarks.contenders import torch_or_none
from benchmarks.harness import Steps, Workload
from tinytorch import Tensor
from tinytorch.data import DataLoader, TensorDataset


def one_pass() -> Steps:
    """Both loaders over the same images, in the main process."""
    rng = np.random.default_rng(0)
    images = rng.random((60_000, 1, 28, 28), dtype=np.float32)
    labels = rng.integers(0, 10, size=60_000)
    loader = DataLoader(TensorDataset(Tensor(images), labels), batch_size=64, shuffle=True)

    def tinytorch() -> float:
        return float(sum(len(x) for x, _ in loader))

    steps: Steps = {"tinytorch": tinytorch}
    if torch := torch_or_none():
        dataset = torch.utils.data.TensorDataset(torch.tensor(images), torch.tensor(labels))
        theirs = torch.utils.data.DataLoader(dataset, batch_size=64, shuffle=True)

        def run_torch() -> float:
            return float(sum(len(x) for x, _ in theirs))

        steps["torch"] = run_torch
    return steps


WORKLOADS = [Workload("60,000 samples in shuffled batches of 64", 0.15, one_pass, rounds=5)]
