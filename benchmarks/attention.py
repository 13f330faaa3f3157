"""Causal attention on 16 texts of 128 positions, four heads of 32: the operation and the layer, forward and backward.

PyTorch's operation is a compiled kernel that never writes the scores down; the goal is to stay near it in NumPy.
"""

import numpy as np

from benchmarks.contenders import torch_or_none
from benchmarks.harness import Steps, Workload
from tinytorch import Tensor, nn
from tinytorch.nn import functional as F

B, H, T, D = 16, 4, 128, 32
C = H * D


def normal(*shape: int) -> np.ndarray:
    """Random numbers, the same at each call."""
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def operation() -> Steps:
    """Our fused operation and PyTorch's, on queries, keys and values that want their gradients."""
    arrays, g = [normal(B, H, T, D) for _ in range(3)], normal(B, H, T, D) + 1
    ours = [Tensor(a, requires_grad=True) for a in arrays]

    def tinytorch() -> float:
        F.scaled_dot_product_attention(*ours, is_causal=True).backward(g)
        answer = float(np.abs(ours[0].grad).sum())
        for x in ours:
            x.zero_grad()
        return answer

    steps: Steps = {"tinytorch": tinytorch}
    if torch := torch_or_none():
        theirs, torch_g = [torch.tensor(a, requires_grad=True) for a in arrays], torch.tensor(g)

        def run_torch() -> float:
            torch.nn.functional.scaled_dot_product_attention(*theirs, is_causal=True).backward(torch_g)
            answer = float(theirs[0].grad.abs().sum())
            for x in theirs:
                x.grad = None
            return answer

        steps["torch"] = run_torch
    return steps


def layer() -> Steps:
    """Self-attention with its four linear layers, from the same weights."""
    x, g = normal(B, T, C), normal(B, T, C)
    model, ours = nn.MultiHeadAttention(C, H), Tensor(x, requires_grad=True)

    def tinytorch() -> float:
        model(ours, is_causal=True).backward(g)
        answer = float(np.abs(ours.grad).sum())
        ours.zero_grad()
        model.zero_grad()
        return answer

    steps: Steps = {"tinytorch": tinytorch}
    if torch := torch_or_none():
        twin = torch.nn.MultiheadAttention(C, H, batch_first=True)
        twin.load_state_dict({name: torch.tensor(value) for name, value in model.state_dict().items()})
        theirs, torch_g = torch.tensor(x, requires_grad=True), torch.tensor(g)
        past = torch.nn.Transformer.generate_square_subsequent_mask(T)

        def run_torch() -> float:
            twin(theirs, theirs, theirs, attn_mask=past, is_causal=True, need_weights=False)[0].backward(torch_g)
            answer = float(theirs.grad.abs().sum())
            theirs.grad = None
            twin.zero_grad()
            return answer

        steps["torch"] = run_torch
    return steps


NAME = "causal attention, 16 x 4 heads x 128 x 32, forward + backward"
WORKLOADS = [
    Workload(NAME, None, operation, rounds=40),
    Workload(NAME.replace("attention", "MultiHeadAttention"), None, layer, rounds=40),
]
