"""A student can train in shuffled mini-batches on one part of a data set and judge the model by the other."""

import numpy as np

from tinytorch import Trainer, manual_seed, nn, optim
from tinytorch.data import DataLoader, TensorDataset, random_split
from tito.lab import load_digits


class Network(nn.Module):
    """One hidden layer."""

    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(64, 64)
        self.output = nn.Linear(64, 10)

    def forward(self, x):
        return self.output(nn.functional.relu(self.hidden(x)))  # (N, 64) -> (N, 64) -> (N, 10)


def test_mini_batches_train_what_held_out_digits_confirm():
    manual_seed(0)
    training, held_out = random_split(TensorDataset(*load_digits()), [1400, 397], generator=0)
    loader = DataLoader(training, batch_size=64, shuffle=True, generator=1)
    model = Network()
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    Trainer(model, optimizer, nn.functional.cross_entropy).train(loader, epochs=8)
    right = [model(x).argmax(axis=1) == y for x, y in DataLoader(held_out, batch_size=128)]
    assert sum(map(len, right)) == 397
    assert np.concatenate(right).mean() > 0.94
