"""Data that ships with the course."""

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
    table = np.loadtxt(Path(__file__).parents[2] / "datasets/digits/digits.csv", delimiter=",", dtype=np.int64)
    return (table[:, :64] / 16).astype(np.float32), table[:, 64]
