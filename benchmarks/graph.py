"""What recording costs: building the graph of 1,000 operations, and the gradient beside the function itself."""

from typing import Any

from benchmarks.chain import B, W, X
from benchmarks.contenders import torch_or_none
from benchmarks.harness import Steps, Workload
from tinytorch import Tensor, no_grad


def chain(x: Any, w: Any, b: Any, operations: int = 1000) -> Any:
    """x * w + b, over and over, in either framework; its sum."""
    for _ in range(operations // 2):
        x = x * w + b
    return x.sum()


def leaves(tensor: Any = Tensor) -> list[Any]:
    """x, w and b that want their gradients."""
    return [tensor(a, requires_grad=True) for a in (X, W, B)]


def building() -> Steps:
    """The forward pass alone, recorded: by both frameworks, and not at all."""
    ours = leaves()

    def unrecorded() -> float:
        with no_grad():
            return chain(*ours).item()

    steps: Steps = {"tinytorch": lambda: chain(*ours).item(), "no_grad()": unrecorded}
    if torch := torch_or_none():
        theirs = leaves(torch.tensor)
        steps["torch"] = lambda: chain(*theirs).item()
    return steps


def gradient() -> Steps:
    """Function and gradient beside the function alone; both answer with the function's value."""
    ours = leaves()

    def with_gradient() -> float:
        result = chain(*ours)
        result.backward()
        for tensor in ours:
            tensor.grad = None
        return result.item()

    return {"tinytorch": with_gradient, "no_grad()": building()["no_grad()"]}


WORKLOADS = [
    Workload("1,000 chained operations, forward with its graph", None, building, rounds=40),
    Workload("1,000 chained operations, forward: with its graph / no_grad()", None, building, 40, "no_grad()"),
    Workload("1,000 chained operations: function and gradient / no_grad()", None, gradient, 40, "no_grad()"),
]
