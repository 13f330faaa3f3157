"""Which frameworks are installed besides ours; none of them is a dependency of the course."""

import importlib.util
import os
from types import ModuleType


def torch_or_none() -> ModuleType | None:
    """PyTorch on one thread, or None."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    torch.set_num_threads(1)
    return torch


def mygrad_or_none() -> ModuleType | None:
    """MyGrad (an autograd library on NumPy), or None."""
    if importlib.util.find_spec("mygrad") is None:
        return None
    import mygrad

    return mygrad


def tokenizers_or_none() -> ModuleType | None:
    """The library `tokenizers` on one thread, or None."""
    if importlib.util.find_spec("tokenizers") is None:
        return None
    os.environ |= {"RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    import tokenizers

    return tokenizers
