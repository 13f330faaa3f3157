"""Rows of a table and their gradient: 2,048 ids, 1,000 rows of 128 numbers, drawn evenly or as words are."""

import numpy as np

from benchmarks.contenders import torch_or_none
from benchmarks.harness import Steps, Workload
from tinytorch.nn import Embedding
from tinytorch.text.embeddings import add_rows

COUNT, ROWS, WIDTH = 2048, 1000, 128


def batch(words: bool) -> tuple[np.ndarray, np.ndarray]:
    """Ids, evenly spread or in Zipf's proportions, and a gradient for their rows."""
    rng = np.random.default_rng(0)
    shares = 1 / np.arange(1, ROWS + 1) if words else np.ones(ROWS)
    ids = rng.choice(ROWS, size=COUNT, p=shares / shares.sum())
    return ids, rng.normal(size=(COUNT, WIDTH)).astype(np.float32)


def gradient(words: bool) -> Steps:
    """The table's gradient alone, and NumPy's own way to it."""
    ids, g = batch(words)

    def tinytorch() -> float:
        return float(add_rows(g, ids, ROWS)[0, 0])

    def add_at() -> float:
        table = np.zeros((ROWS, WIDTH), dtype=np.float32)
        np.add.at(table, ids, g)
        return float(table[0, 0])

    return {"tinytorch": tinytorch, "np.add.at": add_at}


def layer() -> Steps:
    """Forward and backward of the layer, on ids in Zipf's proportions."""
    ids, g = batch(words=True)
    ours = Embedding(ROWS, WIDTH)

    def tinytorch() -> float:
        ours.weight.grad = None
        ours(ids).backward(g)
        return float(ours.weight.grad[0, 0])

    steps: Steps = {"tinytorch": tinytorch}
    if torch := torch_or_none():
        theirs, their_ids, their_g = torch.nn.Embedding(ROWS, WIDTH), torch.tensor(ids), torch.tensor(g)

        def run_torch() -> float:
            theirs.weight.grad = None
            theirs(their_ids).backward(their_g)
            return float(theirs.weight.grad[0, 0])

        steps["torch"] = run_torch
    return steps


SIZE = "2,048 rows of 128 into 1,000"
WORKLOADS = [
    Workload(
        f"Embedding gradient, {SIZE}, even ids, against np.add.at", 0.2, lambda: gradient(False), 200, "np.add.at"
    ),
    Workload(
        f"Embedding gradient, {SIZE}, ids as words, against np.add.at", 0.2, lambda: gradient(True), 200, "np.add.at"
    ),
    Workload(f"Embedding, {SIZE}, ids as words, forward + backward", None, layer, 200),
]
