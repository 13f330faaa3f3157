"""A student can say in one number how wrong a classifier is, and choose between classifiers by it."""

import math

import numpy as np
import pytest

from tinytorch import Tensor, nn
from tito.lab import load_digits


def test_the_loss_chooses_how_sure_a_classifier_should_be():
    """Scores by the nearest average: however they are scaled, they name the same digits, but the loss is another."""
    pixels, labels = load_digits()
    averages = np.stack([pixels[:1200][labels[:1200] == digit].mean(axis=0) for digit in range(10)])
    scores = -((pixels[1200:, None] - averages) ** 2).sum(axis=-1)  # (N, 10)
    measure = nn.CrossEntropyLoss()
    losses = {scale: measure(Tensor(scores * scale), labels[1200:]).item() for scale in (0, 0.5, 1.5, 5, 20)}
    assert losses[0] == pytest.approx(math.log(10), rel=1e-6)  # knows nothing
    assert losses[0] > losses[0.5] > losses[1.5] < losses[5] < losses[20]  # too shy, right, too sure of its mistakes
    wide = scores.astype(np.float64) * 1.5
    right = wide[np.arange(len(wide)), labels[1200:]]
    assert losses[1.5] == pytest.approx(np.mean(np.log(np.exp(wide).sum(axis=1)) - right), rel=1e-5)
