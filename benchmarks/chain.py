"""1,000 operations in a row on four numbers, forward and backward: what one operation costs besides its arithmetic."""

import numpy as np

from benchmarks.contenders import mygrad_or_none, torch_or_none
from benchmarks.harness import Steps, Workload
from tinytorch import Tensor

X, W, B = (np.array(values, dtype=np.float32) for values in ([1, 2, 3, 4], [0.99] * 4, [0.01] * 4))


def chain() -> Steps:
    """y = y * w + b, 500 times; x, w and b want their gradients."""
    ours = [Tensor(a, requires_grad=True) for a in (X, W, B)]
    seed = np.ones(4, dtype=np.float32)

    def tinytorch() -> float:
        x, w, b = ours
        y = x
        for _ in range(500):
            y = y * w + b
        y.backward(seed)
        answer = float(w.grad.sum())
        x.grad = w.grad = b.grad = None
        return answer

    steps: Steps = {"tinytorch": tinytorch}
    if torch := torch_or_none():
        theirs = [torch.tensor(a, requires_grad=True) for a in (X, W, B)]
        torch_seed = torch.ones(4)

        def run_torch() -> float:
            x, w, b = theirs
            y = x
            for _ in range(500):
                y = y * w + b
            y.backward(torch_seed)
            answer = float(w.grad.sum())
            x.grad = w.grad = b.grad = None
            return answer

        steps["torch"] = run_torch
    if mygrad := mygrad_or_none():
        tensors = [mygrad.tensor(a) for a in (X, W, B)]

        def run_mygrad() -> float:
            x, w, b = tensors
            y = x
            for _ in range(500):
                y = y * w + b
            y.backward(seed)
            return float(w.grad.sum())

        steps["mygrad"] = run_mygrad
    return steps


WORKLOADS = [Workload("1,000 chained operations on 4 elements, forward + backward", 0.9, chain, rounds=40)]
