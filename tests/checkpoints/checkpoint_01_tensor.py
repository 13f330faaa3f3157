"""With arrays alone, a student can read handwritten digits: each is compared with the average image of every digit."""

import numpy as np

from tinytorch import Tensor, stack
from tito.lab import load_digits


def test_the_nearest_average_reads_unseen_digits():
    pixels, labels = load_digits()
    seen, unseen = Tensor(pixels[:1200]), Tensor(pixels[1200:])
    averages = stack([seen[labels[:1200] == digit].mean(axis=0) for digit in range(10)])  # (10, 64)
    distances = ((unseen.unsqueeze(1) - averages) ** 2).sum(axis=-1)  # (N, 1, 64) - (10, 64) -> (N, 10)
    assert (distances.argmin(axis=1) == labels[1200:]).mean() > 0.85
    np.testing.assert_allclose(averages.data[3], pixels[:1200][labels[:1200] == 3].mean(axis=0), rtol=1e-5, atol=1e-6)
