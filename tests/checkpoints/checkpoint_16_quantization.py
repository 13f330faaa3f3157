"""A student can store a trained network in about a quarter of its bytes, and have it read digits as well as before."""

import copy

import numpy as np
import pytest

from tinytorch import Tensor, manual_seed, nn, optim
from tinytorch.optimization import quantize_model
from tinytorch.profiling import model_bytes
from tito.lab import load_digits


class Network(nn.Module):
    """One hidden layer."""

    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(64, 128)
        self.output = nn.Linear(128, 10)

    def forward(self, x):
        return self.output(nn.functional.relu(self.hidden(x)))  # (N, 64) -> (N, 128) -> (N, 10)


def test_a_byte_for_a_weight_costs_at_most_a_point_of_accuracy():
    manual_seed(0)
    pixels, labels = load_digits()
    model = Network()
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    for _ in range(80):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(Tensor(pixels[:1400])), labels[:1400]).backward()
        optimizer.step()

    small = copy.deepcopy(model)
    with pytest.warns(UserWarning, match="in place"):
        quantize_model(small, calibration_data=[pixels[:200]])
    before, after = ((net(Tensor(pixels[1400:])).argmax(axis=1) == labels[1400:]).mean() for net in (model, small))
    assert before > 0.9
    assert after >= before - 0.01
    assert model_bytes(small) < 0.3 * model_bytes(model)
    kinds = {array.dtype for name, array in small.state_dict().items() if array.ndim == 2}
    assert np.dtype(np.int8) in kinds
