"""A student can say which layer of a model takes the time, and how many operations each of them computes."""

import time

import numpy as np

from tinytorch import Tensor, nn
from tinytorch.profiling import Profiler


class Slow(nn.Module):
    """Waits for something besides computing."""

    def forward(self, x):
        time.sleep(0.05)
        return x


class Network(nn.Module):
    """A large layer, a small one, and a slow one between them."""

    def __init__(self):
        super().__init__()
        self.large = nn.Linear(256, 128)
        self.slow = Slow()
        self.small = nn.Linear(128, 10)

    def forward(self, x):
        return self.small(self.slow(self.large(x)))  # (N, 256) -> (N, 128) -> (N, 10)


def test_the_slow_layer_is_found_and_operations_are_counted():
    model, x = Network(), Tensor(np.ones((32, 256)))
    profile = Profiler().profile(model, x, iterations=3)
    rows = {row.path: row for row in profile.rows}
    assert max(rows.values(), key=lambda row: row.forward_ms).path == "slow"
    assert rows["slow"].forward_ms > 45
    assert rows["large"].flops == 2 * 32 * 256 * 128  # a multiplication and an addition for each weight and sample
    assert profile.flops == rows["large"].flops + 2 * 32 * 128 * 10
    assert profile.parameters == 256 * 128 + 128 + 128 * 10 + 10
