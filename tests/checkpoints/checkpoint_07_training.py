"""A student can interrupt a long run and go on from its checkpoint as if nothing had happened, schedule and all."""

import numpy as np

from tinytorch import Trainer, manual_seed, nn, optim
from tito.lab import load_digits


def run():
    """A trainer of a small classifier, with momentum, a falling learning rate and clipped gradients."""
    manual_seed(0)
    model = nn.Linear(64, 10)
    optimizer = optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=60)
    return Trainer(model, optimizer, nn.functional.cross_entropy, scheduler=schedule, max_norm=1.0)


def test_a_run_in_two_parts_ends_where_the_whole_one_does(tmp_path):
    pixels, labels = load_digits()
    batches = [(pixels[i : i + 100], labels[i : i + 100]) for i in range(0, 1500, 100)]
    whole = run()
    whole.train(batches, epochs=4)
    run().train(batches, epochs=2, checkpoint=tmp_path / "half.npz")
    rest = run()
    rest.resume(tmp_path / "half.npz")
    rest.train(batches, epochs=4)
    assert rest.history.loss == whole.history.loss
    np.testing.assert_array_equal(rest.model.weight.data, whole.model.weight.data)
    np.testing.assert_array_equal(rest.model.bias.data, whole.model.bias.data)
    assert whole.history.loss[-1] < 0.3 * whole.history.loss[0]
