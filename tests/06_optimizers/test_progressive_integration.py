"""Module 06 and the stack below it: what an optimizer remembers, what it refuses, and that it learns."""

import copy
import gc
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinytorch  # noqa: F401 - switches recording on
from tinytorch.core import optimizers
from tinytorch.core.activations import relu
from tinytorch.core.autograd import gradient_check, no_grad
from tinytorch.core.layers import Linear, Module
from tinytorch.core.losses import cross_entropy
from tinytorch.core.optimizers import SGD, Adam, AdamW, Optimizer, RMSprop
from tinytorch.core.tensor import Tensor, manual_seed
from tito.lab import load_digits

KINDS = {
    "sgd": lambda params: SGD(params, lr=0.1),
    "momentum": lambda params: SGD(params, lr=0.1, momentum=0.9, weight_decay=0.01),
    "nesterov": lambda params: SGD(params, lr=0.1, momentum=0.9, nesterov=True),
    "rmsprop": lambda params: RMSprop(params, weight_decay=0.01),
    "adam": lambda params: Adam(params, lr=0.01, weight_decay=0.01),
    "adamw": lambda params: AdamW(params, lr=0.01),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def weights(*shapes: tuple[int, ...]) -> list[Tensor]:
    rng = np.random.default_rng(0)
    return [Tensor(rng.normal(size=shape), requires_grad=True) for shape in shapes]


def give_gradients(params: list[Tensor], seed: int) -> None:
    rng = np.random.default_rng(seed)
    for p in params:
        p.grad = rng.normal(size=p.shape).astype(np.float32)


class TestPriorStackStillWorking:
    def test_gradients(self):
        rng = np.random.default_rng(0)
        gradient_check(lambda x, w: cross_entropy(x @ w, [0, 2]), rng.normal(size=(2, 3)), rng.normal(size=(3, 3)))

    def test_layers(self):
        layer = Linear(3, 2)
        assert [p.shape for p in layer.parameters()] == [(2, 3), (2,)]


class TestModule06OptimizersCore:
    @every_kind
    def test_only_parameters_with_a_gradient_move(self, kind):
        a, b = weights((2, 3), (3,))
        before = b.numpy()
        a.grad = np.ones((2, 3), np.float32)
        optimizer = KINDS[kind]([a, b])
        optimizer.step()
        np.testing.assert_array_equal(b.data, before)
        assert list(optimizer.state_dict()["state"]) == [0]

    @every_kind
    def test_moves_in_place_in_float32(self, kind):
        params = weights((2, 3), (), (0, 4), (1,))
        arrays = [p.data for p in params]
        before = [p.numpy() for p in params]
        optimizer = KINDS[kind](params)
        for step in range(3):
            give_gradients(params, step)
            gradients = [p.grad.copy() for p in params]
            optimizer.step()
            for p, gradient in zip(params, gradients, strict=True):
                np.testing.assert_array_equal(p.grad, gradient)
        for p, array, old in zip(params, arrays, before, strict=True):
            assert p.data is array
            assert p.data.dtype == np.float32
            assert not p.numel() or (p.data != old).all()
        for kept in optimizer.state.values():
            assert all(value.dtype == np.float32 for value in kept.values() if isinstance(value, np.ndarray))

    @every_kind
    def test_zero_grad_forgets(self, kind):
        params = weights((2, 3), (3,))
        optimizer = KINDS[kind](params)
        give_gradients(params, 0)
        optimizer.zero_grad()
        assert [p.grad for p in params] == [None, None]

    @every_kind
    @pytest.mark.parametrize("order", ["C", "F", "strided"])
    def test_large_parameters_in_any_memory_order_like_small_ones(self, kind, order, monkeypatch):
        rng = np.random.default_rng(1)
        shape = (30, 41)
        start, gradients = rng.normal(size=shape), rng.normal(size=(3, *shape)).astype(np.float32)
        ends = []
        for block in (7, 1 << 20):
            monkeypatch.setattr(optimizers, "BLOCK", block)
            w = Tensor(start, requires_grad=True)
            if order == "F":
                w.data = np.asfortranarray(w.data)
            elif order == "strided":
                w.data = np.repeat(w.data, 2, axis=1)[:, ::2]
            optimizer = KINDS[kind]([w])
            for gradient in gradients:
                w.grad = np.asfortranarray(gradient) if block == 7 else gradient
                optimizer.step()
            ends.append(w.numpy())
        np.testing.assert_array_equal(ends[0], ends[1])

    def test_state_keeps_the_memory_order_of_the_parameter(self):
        w = Tensor(np.ones((3, 4)), requires_grad=True)
        w.data = np.asfortranarray(w.data)
        give_gradients([w], 0)
        optimizer = Adam([w])
        optimizer.step()
        other = Adam([w])
        other.load_state_dict(optimizer.state_dict())
        for kept in (optimizer.state[w], other.state[w]):
            assert kept["exp_avg"].flags.f_contiguous

    @given(st.floats(1e-4, 10), st.floats(-100, 100).filter(lambda g: abs(g) > 1e-3))
    def test_first_step_of_adam_is_lr_long(self, lr, gradient):
        w = Tensor([0.0], requires_grad=True)
        w.grad = np.float32([gradient])
        Adam([w], lr=lr).step()
        np.testing.assert_allclose(w.data, [-lr * np.sign(gradient)], rtol=1e-4)

    @given(st.integers(1, 30), st.floats(0, 0.99))
    def test_momentum_adds_up_as_a_geometric_series(self, steps, momentum):
        w = Tensor([0.0], requires_grad=True)
        optimizer = SGD([w], lr=1, momentum=momentum)
        for _ in range(steps):
            before = w.numpy()
            w.grad = np.float32([1])
            optimizer.step()
        np.testing.assert_allclose(before - w.data, sum(momentum**k for k in range(steps)), rtol=1e-3)

    def test_options_may_change_between_steps(self):
        w = Tensor([0.0], requires_grad=True)
        optimizer = SGD([w], lr=1)
        for lr, momentum in ((1, 0), (0.5, 0.9), (0, 0.9)):
            optimizer.param_groups[0].update(lr=lr, momentum=momentum)
            w.grad = np.float32([1])
            optimizer.step()
        np.testing.assert_allclose(w.data, [-1.5])

    def test_a_group_may_be_added_later(self):
        a, b = weights((2,), (2,))
        optimizer = Adam([a], lr=0.5)
        optimizer.add_param_group({"params": b, "betas": [0.5, 0.5]})
        assert optimizer.param_groups[1]["lr"] == 0.5
        assert optimizer.param_groups[1]["betas"] == (0.5, 0.5)

    def test_an_optimizer_of_your_own(self):
        class SignDescent(Optimizer):
            def __init__(self, params):
                super().__init__(params, {"lr": 1.0, "weight_decay": 0.0})

            def update(self, p, g, state, options):
                p -= options["lr"] * np.sign(g)

        w = Tensor([1.0, 1.0], requires_grad=True)
        w.grad = np.float32([5, -5])
        SignDescent([w]).step()
        np.testing.assert_array_equal(w.data, [0, 2])


class TestState:
    @every_kind
    def test_a_loaded_optimizer_goes_on_exactly(self, kind):
        params = weights((5, 4), (4,))
        optimizer = KINDS[kind](params)
        for step in range(3):
            give_gradients(params, step)
            optimizer.step()
        twins = copy.deepcopy(params)
        twin = KINDS[kind](twins)
        twin.load_state_dict(optimizer.state_dict())
        for step in range(3, 6):
            for group, mover in ((params, optimizer), (twins, twin)):
                give_gradients(group, step)
                mover.step()
        for p, q in zip(params, twins, strict=True):
            np.testing.assert_array_equal(p.data, q.data)

    def test_it_is_a_copy_of_plain_numbers_and_arrays(self):
        params = weights((2, 3), (3,))
        optimizer = Adam(params, lr=np.float64(0.5), betas=[0.5, np.float32(0.25)])
        give_gradients(params, 0)
        optimizer.step()
        state = optimizer.state_dict()
        assert state["param_groups"] == [
            {"params": [0, 1], "lr": 0.5, "betas": (0.5, 0.25), "eps": 1e-8, "weight_decay": 0.0}
        ]
        assert sorted(state["state"]) == [0, 1]
        assert [set(kept) for kept in state["state"].values()] == [{"step", "exp_avg", "exp_avg_sq"}] * 2
        assert type(state["param_groups"][0]["lr"]) is float
        assert json.loads(json.dumps(state["param_groups"]))[0]["params"] == [0, 1]
        state["state"][0]["exp_avg"][...] = 7
        assert (optimizer.state[params[0]]["exp_avg"] != 7).all()

    def test_a_rate_that_a_schedule_brought_to_0_comes_back(self):
        w = weights((2,))
        optimizer = SGD(w, lr=0.5)
        optimizer.param_groups[0]["lr"] = 0.0
        other = SGD(w, lr=0.5)
        other.load_state_dict(optimizer.state_dict())
        assert other.param_groups[0]["lr"] == 0.0

    @pytest.mark.parametrize(
        "change, words",
        [
            (lambda s: s.pop("state"), "keys 'state' and 'param_groups'"),
            (lambda s: s["param_groups"].append(s["param_groups"][0]), "2 groups instead of 1"),
            (lambda s: s["param_groups"][0]["params"].append(2), "3 parameters instead of 2"),
            (lambda s: s["param_groups"][0].pop("eps"), "options of group 0"),
            (lambda s: s["param_groups"][0].update(lr=float("nan")), "lr must be"),
            (lambda s: s["param_groups"][0].update(betas=(0.9, 1.0)), "betas"),
            (lambda s: s["state"][1].update(exp_avg=np.zeros(4)), r"exp_avg of parameter 1 has shape \(4,\)"),
            (lambda s: s["state"][1].pop("step"), "for parameter 1"),
            (lambda s: s["state"][1].update(velocity=np.zeros(3)), "for parameter 1"),
            (lambda s: s["state"].update({2: {"step": 1}}), "for parameter 2"),
        ],
    )
    def test_a_state_that_does_not_fit_changes_nothing(self, change, words):
        params = weights((2, 3), (3,))
        optimizer = Adam(params, lr=0.5)
        give_gradients(params, 0)
        optimizer.step()
        state = optimizer.state_dict()
        change(state)
        before = copy.deepcopy(optimizer.state_dict())
        with pytest.raises(ValueError, match=words) as raised:
            optimizer.load_state_dict(state)
        assert "Nothing was changed" in str(raised.value)
        after = optimizer.state_dict()
        assert after["param_groups"] == before["param_groups"]
        for place, kept in before["state"].items():
            for word, array in kept.items():
                np.testing.assert_array_equal(after["state"][place][word], array)


class TestErrors:
    @pytest.mark.parametrize(
        "make, words",
        [
            (lambda w: SGD([], lr=0.1), "no parameters"),
            (lambda w: SGD(iter([])), "no parameters"),
            (lambda w: SGD([{"params": []}]), "no parameters"),
            (lambda w: SGD(w), "put it in"),
            (lambda w: SGD({"params": [w]}), "put it in"),
            (lambda w: SGD([w, {"params": [w]}]), "not both"),
            (lambda w: SGD([w, 3]), "parameter 1 is a int"),
            (lambda w: SGD([w * 2]), "computed by <mul>"),
            (lambda w: SGD([w, w]), "given twice"),
            (lambda w: SGD([{"params": [w]}, {"params": [w]}]), "given twice"),
            (lambda w: SGD([w], lr=0), "lr must be a number above 0"),
            (lambda w: SGD([w], lr=-0.1), "lr must be a number"),
            (lambda w: SGD([w], lr=float("nan")), "lr must be a number"),
            (lambda w: SGD([w], lr=float("inf")), "lr must be a number"),
            (lambda w: SGD([w], lr="fast"), "lr must be a number"),
            (lambda w: SGD([w], lr=True), "lr must be a number"),
            (lambda w: SGD([w], momentum=1), r"momentum must be a number in \[0, 1\)"),
            (lambda w: SGD([w], weight_decay=-1), "weight_decay"),
            (lambda w: SGD([w], nesterov=True), "needs a momentum"),
            (lambda w: SGD([{"params": [w], "learning_rate": 1}]), "no option learning_rate: it knows lr"),
            (lambda w: Adam([w], betas=(0.9, 1.0)), "betas must be a number"),
            (lambda w: Adam([w], betas=(-0.1, 0.9)), "betas must be a number"),
            (lambda w: Adam([w], betas=0.9), "betas must be two numbers"),
            (lambda w: Adam([w], betas=(0.9,)), "betas must be two numbers"),
            (lambda w: AdamW([w], eps=-1), "eps"),
            (lambda w: RMSprop([w], alpha=1.5), "alpha"),
        ],
    )
    def test_refusals_name_the_mistake(self, make, words):
        with pytest.raises(ValueError, match=words):
            make(Tensor([1.0], requires_grad=True))

    def test_a_refused_group_is_not_added(self):
        a, b = weights((2,), (2,))
        optimizer = SGD([a])
        for group in ({"params": [b], "lr": -1}, {"params": [b, a]}, {"params": [b], "speed": 1}):
            with pytest.raises(ValueError):
                optimizer.add_param_group(group)
        assert optimizer.parameters() == [a]

    @every_kind
    def test_a_waiting_graph_stops_the_step_before_anything_moves(self, kind):
        params = weights((2, 3), (3,))
        optimizer = KINDS[kind](params)
        give_gradients(params, 0)
        before = [p.numpy() for p in params]
        waiting = (params[1] * params[1]).sum()
        with pytest.raises(RuntimeError, match=r"waits for its backward\(\)"):
            optimizer.step()
        for p, old in zip(params, before, strict=True):
            np.testing.assert_array_equal(p.data, old)
        assert optimizer.state == {}
        waiting.backward()
        optimizer.step()
        assert (params[1].data != before[1]).all()


class Network(Module):
    """64 pixels, 32 hidden units, 10 classes."""

    def __init__(self):
        self.hidden = Linear(64, 32)
        self.output = Linear(32, 10)

    def forward(self, x):
        return self.output(relu(self.hidden(x)))


class TestProgressiveStackIntegration:
    @every_kind
    def test_a_network_learns_the_digits(self, kind):
        pixels, labels = load_digits()
        manual_seed(0)
        model, rng = Network(), np.random.default_rng(0)
        optimizer = KINDS[kind](model.parameters())
        for _ in range(150):
            batch = rng.integers(0, 1400, size=64)
            optimizer.zero_grad()
            cross_entropy(model(Tensor(pixels[batch])), labels[batch]).backward()
            optimizer.step()
        with no_grad():
            right = (model(Tensor(pixels[1400:])).argmax(axis=1) == labels[1400:]).mean()
        assert right > 0.75

    def test_training_leaves_no_objects_behind(self):
        params = weights((4, 4))
        optimizer = Adam(params)

        def train(steps: int) -> int:
            for _ in range(steps):
                optimizer.zero_grad()
                (params[0] * params[0]).sum().backward()
                optimizer.step()
            return len(gc.get_objects())

        gc.collect()
        gc.disable()
        try:
            assert train(200) - train(5) >= -5
            assert train(200) - train(5) <= 5
        finally:
            gc.enable()
