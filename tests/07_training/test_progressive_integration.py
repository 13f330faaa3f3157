"""Module 07 and the stack below it: schedules and clipping against PyTorch, the Trainer, and what it refuses."""

import io
import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinytorch  # noqa: F401 - switches recording on
from tinytorch.core import training
from tinytorch.core.activations import relu
from tinytorch.core.autograd import gradient_check
from tinytorch.core.layers import Dropout, Linear, Module, Parameter
from tinytorch.core.losses import cross_entropy, mse_loss
from tinytorch.core.optimizers import SGD, Adam, AdamW, RMSprop
from tinytorch.core.tensor import Tensor, manual_seed
from tinytorch.core.training import (
    CosineAnnealingLR,
    EarlyStopping,
    LinearLR,
    SequentialLR,
    StepLR,
    Trainer,
    accuracy,
    clip_grad_norm,
    clip_grad_norm_,
    evaluate,
)
from tito.lab import load_digits


def optimizer_at(*rates: float) -> SGD:
    return SGD([{"params": [Parameter([0.0])], "lr": lr} for lr in rates])


def rates(scheduler, steps: int) -> list[list[float]]:
    seen = []
    for _ in range(steps):
        seen.append(scheduler.get_last_lr())
        scheduler.optimizer.step()
        scheduler.step()
    return seen


SCHEDULES = {
    "step": lambda lib, o: lib.StepLR(o, 3, 0.5),
    "cosine": lambda lib, o: lib.CosineAnnealingLR(o, 10, 0.01),
    "linear": lambda lib, o: lib.LinearLR(o, 0.2, 0.9, 4),
    "linear-default": lambda lib, o: lib.LinearLR(o),
    "sequential": lambda lib, o: lib.SequentialLR(
        o, [lib.LinearLR(o, 0.1, total_iters=4), lib.CosineAnnealingLR(o, 8), lib.StepLR(o, 2)], [4, 12]
    ),
}


class Network(Module):
    """64 pixels, 32 hidden units, dropout, 10 classes."""

    def __init__(self):
        self.hidden = Linear(64, 32)
        self.dropout = Dropout(0.1)
        self.output = Linear(32, 10)

    def forward(self, x):
        return self.output(self.dropout(relu(self.hidden(x))))


def digits(first: int, last: int, size: int = 100) -> list[tuple[np.ndarray, np.ndarray]]:
    pixels, labels = load_digits()
    return [(pixels[i : min(i + size, last)], labels[i : min(i + size, last)]) for i in range(first, last, size)]


def new_trainer(seed: int = 0, **options) -> Trainer:
    manual_seed(seed)
    model = Network()
    return Trainer(model, AdamW(model.parameters(), lr=0.01), cross_entropy, **options)


class TestPriorStackStillWorking:
    def test_gradients_and_layers(self):
        rng = np.random.default_rng(0)
        gradient_check(
            lambda x, w: mse_loss(relu(x @ w), np.ones((2, 2))), rng.normal(size=(2, 3)), rng.normal(size=(3, 2))
        )

    @pytest.mark.parametrize("kind", [SGD, Adam, AdamW, RMSprop])
    def test_optimizers(self, kind):
        w = Parameter([1.0])
        (w * w).sum().backward()
        kind([w], lr=0.1).step()
        assert w.data[0] < 1


class TestSchedules:
    @pytest.mark.parametrize("name", SCHEDULES)
    def test_values_of_pytorch(self, name):
        torch = pytest.importorskip("torch")
        groups = [{"params": [torch.zeros(1, requires_grad=True)], "lr": lr} for lr in (0.5, 0.125)]
        theirs = rates(SCHEDULES[name](torch.optim.lr_scheduler, torch.optim.SGD(groups)), 20)
        ours = rates(SCHEDULES[name](training, optimizer_at(0.5, 0.125)), 20)
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-9)

    def test_values_by_hand(self):
        assert rates(StepLR(optimizer_at(8.0, 2.0), 2, 0.5), 3) == [[8, 2], [8, 2], [4, 1]]
        np.testing.assert_allclose(rates(CosineAnnealingLR(optimizer_at(1.0), 2), 3), [[1], [0.5], [0]], atol=1e-12)
        assert rates(LinearLR(optimizer_at(8.0), 0.5, total_iters=2), 4) == [[4], [6], [8], [8]]

    @pytest.mark.parametrize("name", SCHEDULES)
    def test_a_loaded_schedule_goes_on(self, name):
        one = SCHEDULES[name](training, optimizer_at(0.5))
        rates(one, 7)
        other = SCHEDULES[name](training, optimizer_at(0.25))
        other.load_state_dict(one.state_dict())
        assert rates(other, 10) == rates(one, 10)

    def test_rates_are_python_numbers(self):
        optimizer = optimizer_at(np.float32(0.5))
        CosineAnnealingLR(optimizer, 3).step()
        assert type(optimizer.param_groups[0]["lr"]) is float

    @pytest.mark.parametrize(
        "make, words",
        [
            (lambda o: StepLR(o, 0), "step_size must be a whole number above 0"),
            (lambda o: CosineAnnealingLR(o, 2.5), "T_max"),
            (lambda o: LinearLR(o, total_iters=-1), "total_iters"),
            (lambda o: LinearLR(o, start_factor=0), "start_factor"),
            (lambda o: SequentialLR(o, [StepLR(o, 1), StepLR(o, 1)], []), "1 rising milestones"),
            (lambda o: SequentialLR(o, [StepLR(o, 1)] * 3, [5, 5]), "2 rising milestones"),
            (lambda o: EarlyStopping(0), "patience"),
            (
                lambda o: StepLR(o, 1).load_state_dict({"last_epoch": 1, "base_lrs": [1.0, 2.0]}),
                "2 groups instead of 1",
            ),
        ],
    )
    def test_refusals(self, make, words):
        with pytest.raises(ValueError, match=words):
            make(optimizer_at(0.5))


class TestClipping:
    @given(st.integers(0, 2**32 - 1), st.floats(1e-3, 1e3))
    def test_length_and_direction(self, seed, max_norm):
        rng = np.random.default_rng(seed)
        params = [Parameter(np.zeros(shape)) for shape in ((3, 4), (), (5,))]
        for p in params:
            p.grad = rng.normal(size=p.shape).astype(np.float32)
        before = np.concatenate([p.grad.reshape(-1) for p in params]).astype(np.float64)
        length = clip_grad_norm_(params, max_norm)
        after = np.concatenate([p.grad.reshape(-1) for p in params])
        np.testing.assert_allclose(length, np.linalg.norm(before), rtol=1e-5)
        np.testing.assert_allclose(after, before * min(1, max_norm / (np.linalg.norm(before) + 1e-6)), rtol=1e-4)
        assert all(p.grad.dtype == np.float32 for p in params)

    @pytest.mark.parametrize("max_norm", [0.1, 1.0, 100.0])
    def test_pytorch_agrees(self, max_norm):
        torch = pytest.importorskip("torch")
        rng = np.random.default_rng(0)
        gradients = [rng.normal(size=shape).astype(np.float32) for shape in ((3, 4), (5,))]
        ours = [Parameter(np.zeros(g.shape)) for g in gradients]
        theirs = [torch.zeros(g.shape, requires_grad=True) for g in gradients]
        for p, q, g in zip(ours, theirs, gradients, strict=True):
            p.grad, q.grad = np.asfortranarray(g), torch.tensor(g)
        expected = torch.nn.utils.clip_grad_norm_(theirs, max_norm).item()
        assert clip_grad_norm(iter(ours), max_norm) == pytest.approx(expected, rel=1e-6)
        for p, q in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(p.grad, q.grad.numpy(), rtol=1e-6)

    def test_nothing_to_clip(self):
        assert clip_grad_norm_([Parameter([1.0])], 1.0) == 0.0


class TestTrainer:
    def test_learns_the_digits_and_keeps_a_history(self):
        trainer = new_trainer(metrics={"accuracy": accuracy}, max_norm=1.0)
        history = trainer.train(digits(0, 1400), 10, digits(1400, 1797))
        assert len(history.loss) == len(history.lr) == 140
        assert [epoch["step"] for epoch in history.epochs] == list(range(14, 141, 14))
        assert history.epochs[0]["loss"] == pytest.approx(np.mean(history.loss[:14]))
        assert history.epochs[-1]["valid_accuracy"] > 0.85
        assert history.epochs[-1] == history.epochs[-1] | {
            f"valid_{name}": value for name, value in trainer.evaluate(digits(1400, 1797)).items()
        }
        assert "140 steps, 10 epochs" in repr(history)

    def test_a_seed_repeats_a_run_exactly(self):
        one, same, other = (new_trainer(seed).train(digits(0, 500), 2).loss for seed in (3, 3, 4))
        assert one == same
        assert one != other

    def test_batches_may_be_tensors_or_lists(self):
        x, y = digits(0, 8)[0]
        runs = [
            new_trainer().train([batch], 2).loss for batch in ((x, y), (Tensor(x), Tensor(y)), (x.tolist(), y.tolist()))
        ]
        np.testing.assert_allclose(runs[1:], [runs[0]] * 2, rtol=1e-6)

    def test_training_and_evaluation_modes(self):
        trainer = new_trainer()
        trainer.model.eval()
        trainer.train(digits(0, 100), 1, digits(100, 200))
        assert trainer.model.dropout.training
        assert evaluate(trainer.model, cross_entropy, digits(0, 300)) == trainer.evaluate(digits(0, 300))

    def test_early_stopping_takes_the_best_weights_back(self):
        trainer = new_trainer(patience=2)
        worse = [
            (x, (y + 1) % 10) for x, y in digits(0, 300)
        ]  # the better it learns the one, the worse it is at the other
        history = trainer.train(digits(0, 300), 50, worse)
        losses = [epoch["valid_loss"] for epoch in history.epochs]
        best = int(np.argmin(losses))
        assert len(losses) == best + 3
        assert trainer.evaluate(worse)["loss"] == losses[best]

    def test_the_schedule_follows_the_steps(self):
        trainer = new_trainer()
        trainer.scheduler = StepLR(trainer.optimizer, 2, 0.5)
        history = trainer.train(digits(0, 300), 2)
        np.testing.assert_allclose(history.lr, [0.01, 0.01, 0.005, 0.005, 0.0025, 0.0025])

    def test_more_epochs_go_on_where_it_ended(self):
        whole, parts = new_trainer(), new_trainer()
        whole.train(digits(0, 300), 3)
        manual_seed(0)
        parts = new_trainer()
        parts.train(digits(0, 300), 1)
        parts.train(digits(0, 300), 3)
        assert parts.history.loss == whole.history.loss

    def test_history_draws_itself(self):
        pyplot = pytest.importorskip("matplotlib.figure")
        history = new_trainer().train(digits(0, 300), 2, digits(300, 400))
        axes = pyplot.Figure().subplots()
        history.plot(axes)
        steps, epochs, valid = (line.get_xydata() for line in axes.get_lines())
        np.testing.assert_allclose(steps[:, 1], history.loss)
        np.testing.assert_allclose(epochs[:, 0], [3, 6])
        np.testing.assert_allclose(valid[:, 1], [epoch["valid_loss"] for epoch in history.epochs])

    @pytest.mark.parametrize("terminal", [True, False])
    def test_progress_is_shown_on_a_terminal_only(self, terminal, monkeypatch):
        stream = io.StringIO()
        stream.isatty = lambda: terminal
        monkeypatch.setattr(sys, "stdout", stream)
        seconds = iter(range(1000))
        monkeypatch.setattr(training.time, "monotonic", lambda: next(seconds))
        new_trainer().train(digits(0, 300), 2)
        if terminal:
            assert "\repoch 1/2  batch 1  loss 2." in stream.getvalue()
            assert "batch 3" in stream.getvalue()
            assert "ETA 0:05" in stream.getvalue()  # after one step of one second, five are left
        else:
            assert stream.getvalue() == ""


class Exploding(Module):
    """A network whose middle layer divides by a number that may be zero."""

    def __init__(self):
        self.first = Linear(4, 4)
        self.middle = Divide()
        self.last = Linear(4, 2)

    def forward(self, x):
        return self.last(self.middle(self.first(x)))


class Divide(Module):
    """x / divisor."""

    divisor = 1.0

    def forward(self, x):
        return x * (math.inf if self.divisor == 0 else 1 / self.divisor)


class TestNonFiniteNumbers:
    def explode(self, spoil, words: str, **options) -> None:
        manual_seed(0)
        model = Exploding()
        trainer = Trainer(model, Adam(model.parameters()), mse_loss, **options)
        batch = (np.ones((3, 4)), np.zeros((3, 2)))
        trainer.train([batch], 2)
        batch = spoil(trainer, *batch) or batch
        before, kept = model.state_dict(), trainer.optimizer.state_dict()["state"]
        with pytest.raises(FloatingPointError, match=words) as raised, np.errstate(all="ignore"):
            trainer.train([batch], 3)
        assert "step 3 (epoch 3, batch 1)" in str(raised.value)
        assert "Nothing was updated" in str(raised.value)
        for name, array in model.state_dict().items():
            np.testing.assert_array_equal(array, before[name])
        for place, state in trainer.optimizer.state_dict()["state"].items():
            assert state["step"] == kept[place]["step"] == 2
        assert len(trainer.history.loss) == 2
        assert "forward" not in vars(model.middle)

    def test_the_first_layer_is_named(self):
        def spoil(trainer, x, y):
            trainer.model.middle.divisor = 0

        self.explode(spoil, r"the loss is -?(nan|inf).* in the output of middle \(Divide\)")

    def test_a_weight_is_named(self):
        def spoil(trainer, x, y):
            trainer.model.last.weight.data[0, 0] = np.nan

        self.explode(spoil, "the parameter last.weight")

    def test_the_input_is_named(self):
        self.explode(lambda trainer, x, y: (np.full((3, 4), np.inf), y), "the input of the model")

    def test_the_loss_is_named(self):
        self.explode(lambda trainer, x, y: (x, np.full((3, 2), np.nan)), "in the loss function")

    def test_a_gradient_is_named(self):
        def spoil(trainer, x, y):
            trainer.loss_function = lambda output, y: (output * 0).sqrt().sum()  # 0, with an infinite slope

        self.explode(spoil, "length of the gradients is nan.* in the gradient of first.weight", max_norm=1.0)

    def test_a_length_beyond_float32_is_named(self):
        def spoil(trainer, x, y):
            trainer.loss_function = lambda output, y: (output * 1e30).mean()  # its square does not fit

        self.explode(spoil, "length of the gradients is inf.* in the length of the gradients", max_norm=1.0)


class TestErrors:
    def test_no_batches(self):
        with pytest.raises(ValueError, match="no batches to train on"):
            new_trainer().train([], 1)
        with pytest.raises(ValueError, match="no batches to evaluate"):
            new_trainer().evaluate([])

    def test_a_generator_lasts_one_epoch(self):
        trainer = new_trainer()
        with pytest.raises(ValueError, match="used up after one epoch"):
            trainer.train((batch for batch in digits(0, 200)), 2)
        assert len(trainer.train((batch for batch in digits(0, 200)), 1).loss) == 2

    def test_patience_needs_validation(self):
        with pytest.raises(ValueError, match="valid"):
            new_trainer(patience=1).train(digits(0, 200), 1)
