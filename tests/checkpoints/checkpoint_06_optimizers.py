"""A student can train a network that reads digits, with an optimizer that finds its own length of step."""

import pytest

from tinytorch import Tensor, manual_seed, nn, optim
from tito.lab import load_digits


class Network(nn.Module):
    """One hidden layer."""

    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(64, 32)
        self.output = nn.Linear(32, 10)

    def forward(self, x):
        return self.output(nn.functional.relu(self.hidden(x)))  # (N, 64) -> (N, 32) -> (N, 10)


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda parameters: optim.SGD(parameters, lr=0.5, momentum=0.9),
        lambda parameters: optim.RMSprop(parameters, lr=0.005),
        lambda parameters: optim.Adam(parameters, lr=0.02),
        lambda parameters: optim.AdamW(parameters, lr=0.02, weight_decay=0.01),
    ],
    ids=["SGD", "RMSprop", "Adam", "AdamW"],
)
def test_a_network_reads_unseen_digits(optimizer):
    manual_seed(0)
    pixels, labels = load_digits()
    network = Network()
    optimizer = optimizer(network.parameters())
    for _ in range(80):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(Tensor(pixels[:1400])), labels[:1400]).backward()
        optimizer.step()
    answers = network(Tensor(pixels[1400:])).argmax(axis=1)
    assert (answers == labels[1400:]).mean() > 0.87
