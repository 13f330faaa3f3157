"""Copies and pickles train on; no_grad counts where it was entered; in-place operators; rules that return nothing."""

import copy
import multiprocessing
import pickle
import threading

import numpy as np
import pytest

from tinytorch.core.activations import relu
from tinytorch.core.autograd import Function, derivative, no_grad
from tinytorch.core.layers import Linear, Module, Parameter
from tinytorch.core.losses import mse_loss
from tinytorch.core.tensor import Tensor, manual_seed, op


class Net(Module):
    def __init__(self):
        self.first, self.second = Linear(20, 30), Linear(30, 1)  # more than 1 KB of weights

    def forward(self, x):
        return self.second(relu(self.first(x)))


def train(model: Net, steps: int = 3) -> list[float]:
    """The losses of some steps of gradient descent."""
    rng = np.random.default_rng(0)
    x, y = Tensor(rng.normal(size=(8, 20))), Tensor(rng.normal(size=(8, 1)))
    losses = []
    for _ in range(steps):
        model.zero_grad()
        loss = mse_loss(model(x), y)
        loss.backward()
        with no_grad():
            for p in model.parameters():
                p -= 0.1 * p.grad
        losses.append(loss.item())
    return losses


def model() -> Net:
    manual_seed(0)
    return Net()


COPIES = {f"pickle {n}": lambda net, n=n: pickle.loads(pickle.dumps(net, n)) for n in range(2, 6)}
COPIES |= {
    "deepcopy": copy.deepcopy,
    "pickle of a deepcopy": lambda net: pickle.loads(pickle.dumps(copy.deepcopy(net))),
}


class TestCopiesTrainOn:
    @pytest.mark.parametrize("how", COPIES)
    def test_as_the_original_does(self, how):
        net = model()
        train(net)
        other = COPIES[how](net)
        assert [p.data.flags.f_contiguous for p in other.parameters()] == [
            p.data.flags.f_contiguous for p in net.parameters()
        ]
        assert [type(p) for p in other.parameters()] == [Parameter] * 4
        assert train(other) == train(net)

    def test_in_another_process_and_back(self):
        net = model()
        with multiprocessing.get_context("fork").Pool(1) as pool:
            losses = pool.apply(train, [net])
            sent = pool.apply(copy.deepcopy, [net])
        assert train(sent) == losses == train(net)

    def test_a_state_dict_round_trip(self):
        net, other = model(), Net()
        train(net)
        other.load_state_dict(pickle.loads(pickle.dumps(net.state_dict(), 2)))
        assert train(other) == train(net)

    def test_shared_parameters_stay_shared_and_gradients_are_copied(self):
        net = model()
        net.tied = net.first.weight
        net.first.weight.grad = np.ones((30, 20))
        other = copy.deepcopy(net)
        assert other.tied is other.first.weight
        assert other.tied.grad.sum() == 600
        assert not np.shares_memory(other.tied.grad, net.tied.grad)

    @pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, pickle.dumps])
    def test_a_recorded_result_is_refused_with_a_sentence(self, way):
        y = 2 * Tensor([1.0, 4.0], requires_grad=True)
        with pytest.raises(RuntimeError, match=r"<mul>.*x\.detach\(\)"):
            way(y)
        assert way(y.detach()) is not None


class TestNoGradBelongsToWhoEntersIt:
    @staticmethod
    def records() -> bool:
        return (Tensor(1.0, requires_grad=True) * 2)._grad_fn is not None

    def test_another_thread_goes_on_recording(self):
        inside, done, seen = threading.Event(), threading.Event(), []

        def quiet():
            with no_grad():
                seen.append(self.records())
                inside.set()
                done.wait(10)

        thread = threading.Thread(target=quiet)
        thread.start()
        inside.wait(10)
        assert self.records()
        done.set()
        thread.join()
        assert seen == [False]

    def test_a_generator_is_quiet_only_while_it_runs(self):
        def batches():
            with no_grad():
                for _ in range(3):
                    yield self.records()

        for quiet in batches():
            assert not quiet
            assert self.records()
        assert self.records()

    def test_a_generator_that_outlives_a_block_and_one_that_is_dropped(self):
        def batches():
            with no_grad():
                yield self.records()
                yield self.records()

        generator = batches()
        assert next(generator) is False
        with no_grad():
            assert next(generator) is False
            generator.close()
            assert not self.records()
        other = batches()
        next(other)
        del other
        assert self.records()

    def test_a_generator_run_by_another_thread(self):
        def batches():
            with no_grad():
                while True:
                    yield self.records()

        generator, seen = batches(), []
        next(generator)
        thread = threading.Thread(target=lambda: seen.append(next(generator)))
        thread.start()
        thread.join()
        assert seen == [False]
        assert self.records()

    def test_a_decorated_generator_function(self):
        @no_grad()
        def batches(n):
            for _ in range(n):
                received = yield self.records()
                assert received in (None, "sent")
            return "end"

        generator = batches(2)
        assert next(generator) is False
        assert self.records()
        assert generator.send("sent") is False
        with pytest.raises(StopIteration) as stop:
            next(generator)
        assert stop.value.value == "end"
        assert self.records()
        assert batches.__name__ == "batches"


class TestInPlaceOperators:
    def test_under_no_grad_they_write(self):
        p = Parameter([1.0, 2.0])
        before, array = p, p.data
        (p * p).sum().backward()
        with no_grad():
            p -= 0.5 * p.grad
            p += 1
            p *= Tensor([2.0, 3.0])
            p /= 2
            p **= 2
        assert p is before
        assert p.data is array
        np.testing.assert_array_equal(p.data, [1, 2.25])
        assert p.requires_grad

    def test_with_a_live_graph_they_explain_themselves(self):
        p = Parameter([1.0, 2.0])
        loss = (p * p).sum()
        with no_grad(), pytest.raises(ValueError, match=r"saved for backward\(\)"):
            p -= 1
        loss.backward()
        np.testing.assert_array_equal(p.grad, [2, 4])

    @pytest.mark.parametrize("write", ["p -= 0.1", "p += 1", "p *= 2", "p /= 2", "p **= 2", "p.zero_()", "p.add_(1)"])
    def test_outside_of_it_too(self, write):
        p = Parameter([1.0, 2.0])
        with pytest.raises(RuntimeError, match=r"no_grad\(\)"):
            exec(write, {"p": p})
        np.testing.assert_array_equal(p.data, [1, 2])

    def test_a_sum_of_losses_grows(self):
        p = Parameter([1.0, 2.0])
        loss = 0
        for factor in (1, 10):
            loss += (p * factor).sum()
        loss *= 2
        loss.backward()
        np.testing.assert_array_equal(p.grad, [22, 22])

    def test_a_plain_tensor_is_written_into(self):
        x = Tensor([[1.0, 2.0]])
        same, view = x, x.T
        x += [10, 20]
        assert x is same
        assert view.tolist() == [[11], [22]]
        with pytest.raises(ValueError, match=r"\(2, 2\).*\(1, 2\)"):
            x += np.ones((2, 2))


class TestParametersStay:
    def test_a_tensor_in_place_of_a_parameter_is_refused(self):
        layer = Linear(2, 3)
        with pytest.raises(TypeError, match=r"Linear\.weight is a Parameter.*no_grad"):
            layer.weight = Tensor(np.zeros((3, 2)))
        with pytest.raises(TypeError, match="ndarray"):
            layer.bias = np.zeros(3)
        with no_grad():
            layer.weight[...] = np.zeros((3, 2))
        layer.bias = Parameter(np.ones(3))
        np.testing.assert_array_equal(layer(Tensor([1.0, 2.0])).data, [1, 1, 1])
        layer.bias = None
        assert [path for path, _ in layer.named_parameters()] == ["weight"]


class TestRulesThatReturnNothing:
    def test_a_rule_is_named_with_what_was_expected(self):
        @op
        def double(x):
            return x * 2

        @derivative(double, "x")
        def double_x(g):
            g * 2

        with pytest.raises(TypeError, match=r"double_x returned NoneType.*\(3,\).*`return` missing"):
            double(Tensor(np.ones(3), requires_grad=True)).sum().backward()

    def test_a_function_is_named_too(self):
        class Double(Function):
            @staticmethod
            def forward(ctx, x, y):
                return x * 2

            @staticmethod
            def backward(ctx, g):
                g * 2

        with pytest.raises(TypeError, match=r"Double\.backward returned no gradient.*1 of 2.*`return` missing"):
            Double.apply(Tensor([1.0], requires_grad=True), 3).backward()

    def test_a_forward_without_return_and_too_few_gradients(self):
        class Nothing(Function):
            @staticmethod
            def forward(ctx, x, y):
                pass

        class Few(Function):
            @staticmethod
            def forward(ctx, x, y):
                return x * y

            @staticmethod
            def backward(ctx, g):
                return g

        x = Tensor([1.0], requires_grad=True)
        with pytest.raises(TypeError, match=r"Nothing\.forward returned None"):
            Nothing.apply(x, x)
        with pytest.raises(TypeError, match=r"Few\.backward returned 1 gradients for 2 inputs"):
            Few.apply(x, x).backward()
