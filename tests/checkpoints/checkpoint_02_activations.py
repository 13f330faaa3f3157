"""A student can bend straight lines into any curve: a sum of ReLUs follows x² as closely as the theory says."""

import numpy as np

from tinytorch import Tensor
from tinytorch.nn import functional as F


def test_relu_units_follow_a_parabola():
    """Straight pieces between points h apart miss x² by h²/4 in the middle of each, and by nothing at its ends."""
    h = 1 / 8
    corners = Tensor(np.arange(0, 1, h))
    slopes = Tensor([h, *[2 * h] * 7])  # each unit turns the line up by 2h from its corner on
    x = np.linspace(0, 1, 1025)
    bent = F.relu(Tensor(x).unsqueeze(1) - corners) @ slopes  # (N, 1) - (8,) -> (N, 8) -> (N,)
    error = bent.data - x**2
    assert error.min() > -1e-6
    np.testing.assert_allclose(error.max(), h**2 / 4, rtol=1e-3)
    straight = (Tensor(x).unsqueeze(1) - corners) @ slopes
    np.testing.assert_allclose(np.diff(straight.data, 2), 0, atol=1e-6)  # without ReLU, still a straight line
