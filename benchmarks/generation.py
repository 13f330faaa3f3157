"""Writing with a key-value cache: against PyTorch with a cache of its own, and against the same model without one."""

from typing import Any

from benchmarks.gpt import H, L, T, both
from benchmarks.harness import Steps, Workload
from tinytorch.generation import generate
from tinytorch.models import GPT


def ours(model: GPT) -> float:
    """127 greedy tokens after one, the sum of their ids."""
    return float(generate(model, [0], T - 1, temperature=0).sum())


def torch_cached(torch: Any, model: Any) -> float:
    """The same in PyTorch, as its users write it: keys and values grow by `cat`, one query attends to all of them."""
    P = torch.nn.functional
    ids = new = torch.zeros((1, 1), dtype=torch.long)
    cache: list[Any] = [None] * L
    with torch.no_grad():
        for place in range(T - 1):
            x = model.embedding(new) + model.positions.table[place : place + 1]
            for layer, block in enumerate(model.blocks):
                a, C = block.attention, x.shape[2]
                packed = P.linear(block.norm1(x), a.in_proj_weight, a.in_proj_bias).split(C, dim=2)
                q, k, v = (part.view(1, 1, H, C // H).transpose(1, 2) for part in packed)  # (B, H, 1, d)
                if cache[layer] is not None:
                    k, v = (torch.cat(pair, dim=2) for pair in zip(cache[layer], (k, v), strict=True))
                cache[layer] = (k, v)
                y = P.scaled_dot_product_attention(q, k, v)
                x = x + a.out_proj(y.transpose(1, 2).reshape(1, 1, C))
                x = x + block.feed_forward(block.norm2(x))
            logits = P.linear(model.norm(x), model.embedding.weight)
            new = logits[:, -1].argmax(dim=-1, keepdim=True)
            ids = torch.cat([ids, new], dim=1)
    return float(ids.sum())


def cached() -> Steps:
    """Both with a cache."""
    model, torch, theirs = both()
    steps: Steps = {"tinytorch": lambda: ours(model)}
    if torch:
        steps["torch"] = lambda: torch_cached(torch, theirs)
    return steps


def speed_up() -> Steps:
    """Ours with a cache and without."""
    model = both()[0]
    return {
        "tinytorch": lambda: ours(model),
        "no cache": lambda: float(model.generate([0], T - 1, temperature=0).sum()),
    }


WORKLOADS = [
    Workload("GPT, 127 tokens with a cache", 1.0, cached, rounds=15),
    Workload("GPT, 127 tokens with a cache / without", 0.143, speed_up, rounds=9, against="no cache"),
]
