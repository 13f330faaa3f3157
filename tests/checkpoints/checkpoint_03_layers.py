"""A student can build a network as a class, count its parameters, save it, and have it answer the same again."""

import numpy as np

from tinytorch import Tensor, load, manual_seed, nn, save


class Network(nn.Module):
    """Pixels in, scores of ten digits out."""

    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(784, 128)
        self.dropout = nn.Dropout(0.5)
        self.output = nn.Linear(128, 10)

    def forward(self, x):
        h = nn.functional.relu(self.hidden(x))  # (N, 784) -> (N, 128)
        return self.output(self.dropout(h))  # (N, 10)


def test_a_network_is_counted_saved_and_loaded(tmp_path):
    manual_seed(0)
    network, x = Network(), Tensor(np.random.default_rng(0).normal(size=(5, 784)))
    assert sum(p.data.size for p in network.parameters()) == 784 * 128 + 128 + 128 * 10 + 10
    assert np.abs(network(x).data - network(x).data).max() > 0.01  # dropout draws anew while training
    save(network.state_dict(), tmp_path / "network.npz")

    other = Network().eval()
    answer = network.eval()(x).data
    assert np.abs(other(x).data - answer).max() > 0.01
    other.load_state_dict(load(tmp_path / "network.npz"))
    np.testing.assert_array_equal(other(x).data, answer)
