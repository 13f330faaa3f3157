"""Data that ships with the course."""

import sysconfig
from functools import cache
from pathlib import Path

import numpy as np


def load_digits() -> tuple[np.ndarray, np.ndarray]:
    """Read the handwritten digits that ship with the course (see datasets/digits/README.md).

    Returns:
        Pixels as a float32 array of shape (1797, 64) in [0, 1], labels as an integer array of shape (1797,).

    Example:
        >>> pixels, labels = load_digits()
        >>> pixels.shape, labels[:3].tolist()
        ((1797, 64), [0, 1, 2])
    """
    table = _digits()
    return (table[:, :64] / 16).astype(np.float32), table[:, 64].copy()


@cache
def _digits() -> np.ndarray:
    """The file as a table, which nobody else gets hold of."""
    return np.loadtxt(Path(__file__).parents[2] / "datasets/digits/digits.csv", delimiter=",", dtype=np.int64)


def load_python_source(size: int) -> str:
    """Read the beginning of a text that every machine has: the source of Python's standard library, file by file.

    Args:
        size: how many characters; there are some millions.

    Example:
        >>> len(load_python_source(1000))
        1000
    """
    text = ""
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        if len(text) >= size:
            break
        text += path.read_text(encoding="utf-8")
    return text[:size]
