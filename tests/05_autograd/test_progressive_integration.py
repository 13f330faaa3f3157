"""Module 05 on top of modules 01-04: they still work, and every one of them now has gradients.

Chain: 01_tensor -> 02_activations -> 03_layers -> 04_losses -> 05_autograd. Gradients are compared with values worked
out by hand, with float64 arithmetic, or with measured slopes.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinytorch.core import tensor as tensors
from tinytorch.core.activations import GELU, ReLU, Sigmoid, Softmax, Tanh
from tinytorch.core.autograd import enable_autograd, engine, gradient_check, no_grad
from tinytorch.core.layers import Dense, Dropout, Linear, Module
from tinytorch.core.losses import (
    BCEWithLogitsLoss,
    BinaryCrossEntropyLoss,
    CrossEntropyLoss,
    MSELoss,
    cross_entropy,
    mse_loss,
)
from tinytorch.core.tensor import Tensor, cat, manual_seed, set_engine
from tito.lab import load_digits

repeatable = settings(derandomize=True, deadline=None)


class TwoLayers(Module):
    """Three inputs, hidden units, two outputs."""

    def __init__(self, hidden: int = 4) -> None:
        self.hidden = Linear(3, hidden)
        self.output = Linear(hidden, 2)
        self.relu = ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.relu(self.hidden(x)))  # (N, 3) -> (N, hidden) -> (N, 2)


def step(model: Module, lr: float) -> None:
    """Plain gradient descent."""
    for parameter in model.parameters():
        parameter.data -= np.float32(lr) * parameter.grad
        parameter.zero_grad()


class TestPriorStackStillWorking:
    """Modules 01-04 give the same results as before and track nothing unless asked."""

    def test_tensor_operations_stable(self):
        z = Tensor([1, 2, 3]) + Tensor([4, 5, 6])
        np.testing.assert_array_equal(z.data, [5, 7, 9])
        assert (z.grad, z._grad_fn, z.requires_grad) == (None, None, False)
        m = Tensor([[1, 2], [3, 4]])
        np.testing.assert_array_equal((m @ m.T).data, [[5, 11], [11, 25]])
        np.testing.assert_array_equal(cat([m, m * 2], axis=1).data, [[1, 2, 2, 4], [3, 4, 6, 8]])
        assert m.mean().item() == 2.5

    def test_activations_stable(self):
        x = Tensor([-1, 0, 1])
        y = ReLU()(x)
        np.testing.assert_array_equal(y.data, [0, 0, 1])
        assert (y.grad, y._grad_fn) == (None, None)
        np.testing.assert_allclose(Sigmoid()(x).data, 1 / (1 + np.exp([1.0, 0.0, -1.0])), rtol=1e-6)
        np.testing.assert_allclose(Softmax()(Tensor([[0, math.log(3)]])).data, [[0.25, 0.75]], rtol=1e-6)

    def test_layers_stable(self):
        layer = Linear(3, 2)
        x = np.arange(6, dtype=np.float32).reshape(2, 3)
        with no_grad():
            y = layer(Tensor(x))
        np.testing.assert_allclose(y.data, x @ layer.weight.numpy().T + layer.bias.numpy(), rtol=1e-5, atol=1e-6)
        assert y._grad_fn is None
        np.testing.assert_array_equal(Dropout(0.5).eval()(Tensor(x)).data, x)
        assert set(TwoLayers().state_dict()) == {"hidden.weight", "hidden.bias", "output.weight", "output.bias"}

    def test_losses_stable(self):
        assert MSELoss()(Tensor([1, 2]), Tensor([1, 5])).item() == 4.5
        loss = CrossEntropyLoss()(Tensor([[0, 0, 0, 0]]), [2])
        assert loss.item() == pytest.approx(math.log(4), rel=1e-6)
        assert loss._grad_fn is None

    def test_recording_leaves_the_forward_as_it_is(self):
        """The same numbers, bit for bit, whether anybody watches or not."""
        manual_seed(0)
        model, x = TwoLayers(), Tensor(np.random.default_rng(0).normal(size=(5, 3)))
        watched = model(x)
        with no_grad():
            np.testing.assert_array_equal(model(x).data, watched.data)


class TestModule05AutogradCore:
    def test_enable_autograd(self):
        methods = dict(vars(Tensor))
        set_engine(None)
        try:
            assert (Tensor([2.0], requires_grad=True) * 3)._grad_fn is None
            enable_autograd()
            enable_autograd()
            assert tensors._engine is engine
            x = Tensor([2.0], requires_grad=True)
            (x * 3).backward()
            assert x.grad.tolist() == [3]
            assert vars(Tensor) == methods  # nothing is patched
        finally:
            enable_autograd()

    def test_simple_backward(self):
        x, w, b = (Tensor(v, requires_grad=True) for v in (3.0, 2.0, -4.0))
        ((w * x + b) ** 2).backward()
        assert (float(w.grad), float(x.grad), float(b.grad)) == (12, 8, 4)

    def test_simple_backward_pass(self):
        x = Tensor([2.0], requires_grad=True)
        (x * 3).sum().backward()
        np.testing.assert_array_equal(x.grad, [3])

    def test_multi_step_backward(self):
        x = Tensor([2.0], requires_grad=True)
        y = x * 3
        z = y + 1
        w = z * 2
        assert w.data.tolist() == [14]
        w.backward()
        np.testing.assert_array_equal(x.grad, [6])

    def test_requires_grad_tracking(self):
        tracked, plain = Tensor([1.0, 2.0], requires_grad=True), Tensor([3.0, 4.0])
        out = tracked * plain
        assert (out.requires_grad, (plain * plain).requires_grad) == (True, False)
        assert out._grad_fn is not None
        assert tracked._grad_fn is None
        out.sum().backward()
        assert tracked.grad.tolist() == [3, 4]
        assert plain.grad is None
        frozen = Tensor([1.0], requires_grad=True)
        frozen.requires_grad = False
        assert (frozen * 2)._grad_fn is None

    def test_scalars_need_no_argument(self):
        x = Tensor([1.0, 2.0], requires_grad=True)
        x.mean().backward()
        assert x.grad.tolist() == [0.5, 0.5]
        with pytest.raises(RuntimeError, match=r"shape \(2,\)"):
            (x * 2).backward()


class TestAutogradTensorIntegration:
    def test_arithmetic_gradients(self):
        for function, partials in [
            (lambda a, b: a + b, (1, 1)),
            (lambda a, b: a - b, (1, -1)),
            (lambda a, b: a * b, (4, 3)),
            (lambda a, b: a / b, (1 / 4, -3 / 16)),
            (lambda a, b: a**b, (4 * 3**3, 3**4 * math.log(3))),
        ]:
            a, b = Tensor([3.0], requires_grad=True), Tensor([4.0], requires_grad=True)
            function(a, b).backward()
            np.testing.assert_allclose([a.grad[0], b.grad[0]], partials, rtol=1e-6)

    def test_matmul_gradients(self):
        rng = np.random.default_rng(0)
        a, b, g = rng.normal(size=(2, 3)), rng.normal(size=(3, 4)), rng.normal(size=(2, 4))
        x, y = Tensor(a, requires_grad=True), Tensor(b, requires_grad=True)
        (x @ y).backward(g)
        np.testing.assert_allclose(x.grad, g @ b.T, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(y.grad, a.T @ g, rtol=1e-5, atol=1e-6)

    def test_batched_matmul_gradients(self):
        rng = np.random.default_rng(1)
        q, k, g = rng.normal(size=(2, 4, 5, 3)), rng.normal(size=(2, 4, 6, 3)), rng.normal(size=(2, 4, 5, 6))
        x, y = Tensor(q, requires_grad=True), Tensor(k, requires_grad=True)
        (x @ y.transpose()).backward(g)
        np.testing.assert_allclose(x.grad, np.einsum("bhqk,bhkd->bhqd", g, k), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(y.grad, np.einsum("bhqk,bhqd->bhkd", g, q), rtol=1e-4, atol=1e-5)

    def test_broadcasting_gradients(self):
        rng = np.random.default_rng(2)
        for small in [(3,), (1, 3), (4, 1), (1, 1), (), (1,), (1, 4, 1), (2, 1, 1), (2, 4, 3)]:
            a, b, g = rng.normal(size=(2, 4, 3)), rng.normal(size=small), rng.normal(size=(2, 4, 3))
            x, y = Tensor(a, requires_grad=True), Tensor(b, requires_grad=True)
            (x * y).backward(g)
            wide = (1,) * (3 - len(small)) + small
            axes = tuple(i for i, n in enumerate(wide) if n == 1)
            np.testing.assert_allclose(x.grad, g * b, rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(y.grad, (g * a).sum(axis=axes).reshape(small), rtol=1e-4, atol=1e-5)

    def test_broadcasting_backward(self):
        bias = Tensor([1.0], requires_grad=True)
        x = Tensor([[1, 2], [3, 4]], requires_grad=True)
        (x + bias).sum().backward()
        assert bias.grad.shape == (1,)
        np.testing.assert_array_equal(bias.grad, [4.0])
        np.testing.assert_array_equal(x.grad, np.ones((2, 2)))

    @repeatable
    @given(
        hnp.mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_dims=3, max_side=3), st.integers(0, 2**32 - 1)
    )
    def test_gradients_have_the_shapes_of_their_inputs(self, shapes, seed):
        rng = np.random.default_rng(seed)
        a, b = (Tensor(rng.uniform(1, 2, size=shape), requires_grad=True) for shape in shapes.input_shapes)
        ((a + b) * a / b - b).sum().backward()
        assert (a.grad.shape, b.grad.shape) == shapes.input_shapes
        x, y = np.float64(a.numpy()), np.float64(b.numpy())
        total = np.broadcast_to((2 * x + y) / y, shapes.result_shape).sum()
        np.testing.assert_allclose(np.float64(a.grad).sum(), total, rtol=1e-4)

    def test_reductions_and_shapes(self):
        x = Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
        (x.T.reshape(2, 3) * Tensor([[1, 2, 3], [4, 5, 6]])).sum(axis=0).max().backward()
        # x.T.reshape(2, 3) is [[0, 3, 1], [4, 2, 5]]; weighted columns add up to 16, 16 and 33 = 3 * 1 + 6 * 5
        np.testing.assert_array_equal(x.grad, [[0, 3, 0], [0, 0, 6]])


class TestAutogradActivationIntegration:
    def test_relu_gradients(self):
        x = Tensor([-2.0, -0.0, 0.0, 3.0], requires_grad=True)
        ReLU()(x).backward([1, 10, 100, 1000])
        assert x.grad.tolist() == [0, 0, 0, 1000]

    def test_sigmoid_gradients(self):
        values = np.array([-3.0, 0.0, 2.0])
        x = Tensor(values, requires_grad=True)
        Sigmoid()(x).sum().backward()
        s = 1 / (1 + np.exp(-values))
        np.testing.assert_allclose(x.grad, s * (1 - s), rtol=1e-6)

    def test_activation_chain_gradients(self):
        x = Tensor([1.0, -1.0, 2.0], requires_grad=True)
        Sigmoid()(ReLU()(x)).sum().backward()
        s = 1 / (1 + np.exp([-1.0, 0.0, -2.0]))
        np.testing.assert_allclose(x.grad, s * (1 - s) * [1, 0, 1], rtol=1e-6)
        assert x.grad[1] == 0.0  # a dead ReLU, exactly

    @pytest.mark.parametrize("activation", [ReLU(), Sigmoid(), Tanh(), GELU(), Softmax(), Softmax(axis=0)], ids=repr)
    def test_every_activation_against_measured_slopes(self, activation):
        gradient_check(activation, [[-1.5, 0.5, 1.0], [0.3, -0.4, 2.0]])

    def test_softmax_gradients_sum_to_zero(self):
        x = Tensor([[1e4, 0.0, -1e4], [1.0, 2.0, 3.0]], requires_grad=True)
        Softmax()(x).backward([[3.0, 2.0, 1.0]] * 2)
        assert np.isfinite(x.grad).all()
        np.testing.assert_allclose(x.grad.sum(axis=1), [0, 0], atol=1e-6)
        np.testing.assert_array_equal(x.grad[0], [0, 0, 0])  # sure of its answer: no slope


class TestAutogradLayerIntegration:
    def test_dense_layer_gradients(self):
        manual_seed(0)
        layer = Dense(3, 2)
        x = Tensor([[1, 2, 3]], requires_grad=True)
        layer(x).sum().backward()
        np.testing.assert_array_equal(layer.weight.grad, [[1, 2, 3], [1, 2, 3]])
        np.testing.assert_array_equal(layer.bias.grad, [1, 1])
        np.testing.assert_allclose(x.grad, [layer.weight.numpy().sum(axis=0)], rtol=1e-6)
        assert (layer.weight.grad.shape, layer.bias.grad.shape) == (layer.weight.shape, layer.bias.shape)

    def test_multi_layer_gradients(self):
        """Against the chain rule written out in float64."""
        manual_seed(1)
        rng = np.random.default_rng(1)
        model, x, g = TwoLayers(), rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
        inputs = Tensor(x, requires_grad=True)
        model(inputs).backward(g)
        w1, b1, w2 = (
            p.numpy().astype(np.float64) for p in (model.hidden.weight, model.hidden.bias, model.output.weight)
        )
        h = np.maximum(x @ w1.T + b1, 0)
        gh = (g @ w2) * (h > 0)
        for got, expected in [
            (model.output.weight.grad, g.T @ h),
            (model.output.bias.grad, g.sum(axis=0)),
            (model.hidden.weight.grad, gh.T @ x),
            (model.hidden.bias.grad, gh.sum(axis=0)),
            (inputs.grad, gh @ w1),
        ]:
            np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)

    def test_a_batch_of_sequences(self):
        manual_seed(2)
        layer, x = Linear(3, 2), np.random.default_rng(2).normal(size=(4, 5, 3))
        layer(Tensor(x)).sum().backward()
        np.testing.assert_allclose(layer.weight.grad, [x.sum(axis=(0, 1))] * 2, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(layer.bias.grad, [20, 20], rtol=1e-6)

    def test_dropout_passes_what_it_kept(self):
        manual_seed(3)
        x = Tensor(np.ones((50, 40)), requires_grad=True)
        out = Dropout(0.25)(x)
        out.sum().backward()
        np.testing.assert_array_equal(x.grad, out.data)  # 0 or 4/3, as in the forward pass
        assert 0.15 < float((x.grad == 0).mean()) < 0.35
        x.zero_grad()
        Dropout(0.25).eval()(x).sum().backward()
        np.testing.assert_array_equal(x.grad, np.ones((50, 40)))
        x.zero_grad()
        Dropout(1.0)(x).sum().backward()
        np.testing.assert_array_equal(x.grad, np.zeros((50, 40)))

    def test_shared_parameter_gradient_accumulation(self):
        weight = Tensor([2.0], requires_grad=True)
        loss = (weight * Tensor([1.0])).sum() + (weight * Tensor([3.0])).sum()
        loss.backward()
        np.testing.assert_array_equal(weight.grad, [4.0])

    def test_zero_grad_of_a_module(self):
        model = TwoLayers()
        model(Tensor(np.ones((1, 3)))).sum().backward()
        assert model.output.bias.grad.tolist() == [1, 1]
        model.zero_grad()
        assert [p.grad for p in model.parameters()] == [None] * 4


class TestAutogradLossIntegration:
    def test_mse_loss_gradients(self):
        rng = np.random.default_rng(3)
        p, t = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
        prediction, target = Tensor(p, requires_grad=True), Tensor(t, requires_grad=True)
        MSELoss()(prediction, target).backward()
        np.testing.assert_allclose(prediction.grad, 2 * (p - t) / 12, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(target.grad, 2 * (t - p) / 12, rtol=1e-5, atol=1e-6)

    def test_mse_loss_gradient(self):
        predictions = Tensor([1.0, 2.0, 3.0], requires_grad=True)
        targets = Tensor([1.5, 2.5, 2.5])
        MSELoss()(predictions, targets).backward()
        np.testing.assert_allclose(predictions.grad, 2 * (predictions.data - targets.data) / 3, rtol=1e-6)

    def test_crossentropy_loss_gradients(self):
        x = np.random.default_rng(4).normal(size=(5, 3))
        labels = [0, 2, 1, 1, 0]
        logits = Tensor(x, requires_grad=True)
        CrossEntropyLoss()(logits, labels).backward()
        p = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(logits.grad, (p - np.eye(3)[labels]) / 5, rtol=1e-5, atol=1e-6)

    def test_fused_and_composed_cross_entropy_agree(self):
        x, labels = np.random.default_rng(5).normal(size=(4, 6)), np.array([5, 0, 3, 3])
        fused, composed = Tensor(x, requires_grad=True), Tensor(x, requires_grad=True)
        cross_entropy(fused, labels).backward()
        (-Softmax()(composed)[np.arange(4), labels].log().mean()).backward()
        np.testing.assert_allclose(fused.grad, composed.grad, rtol=1e-4, atol=1e-6)

    def test_binary_crossentropy_loss_gradients(self):
        x, t = np.array([-2.0, 0.0, 1.0, 3.0]), np.array([0.0, 1.0, 1.0, 0.0])
        p = 1 / (1 + np.exp(-x))
        scores, probabilities = Tensor(x, requires_grad=True), Tensor(p, requires_grad=True)
        BCEWithLogitsLoss()(scores, Tensor(t)).backward()
        BinaryCrossEntropyLoss()(probabilities, Tensor(t)).backward()
        np.testing.assert_allclose(scores.grad, (p - t) / 4, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(probabilities.grad, (p - t) / (p * (1 - p)) / 4, rtol=1e-4)

    def test_a_loss_in_the_middle_of_a_sum(self):
        x = Tensor([1.0, 2.0], requires_grad=True)
        (mse_loss(x, [0.0, 0.0]) * 10 + (x * x).sum()).backward()
        np.testing.assert_allclose(x.grad, [12, 24], rtol=1e-6)


class TestProgressiveStackIntegration:
    def test_end_to_end_training_step(self):
        """One step along the gradient lowers the loss by about lr times its squared length."""
        manual_seed(0)
        rng = np.random.default_rng(0)
        model, x, target = TwoLayers(), Tensor(rng.normal(size=(8, 3))), Tensor(rng.normal(size=(8, 2)))
        loss = mse_loss(model(x), target)
        loss.backward()
        length = sum(float((p.grad.astype(np.float64) ** 2).sum()) for p in model.parameters())
        step(model, lr=1e-3)
        drop = loss.item() - mse_loss(model(x), target).item()
        assert drop == pytest.approx(1e-3 * length, rel=0.02)

    def test_neural_network_backward(self):
        manual_seed(4)
        layer1, relu, layer2 = Dense(3, 4), ReLU(), Dense(4, 2)
        x, target = Tensor([[1, 2, 3]], requires_grad=True), Tensor([[1, 0]])
        arrays = [p.numpy() for p in (x, layer1.weight, layer1.bias, layer2.weight, layer2.bias)]
        MSELoss()(layer2(relu(layer1(x))), target).backward()
        w0, w1, b1, w2, b2 = (array.astype(np.float64) for array in arrays)
        h = np.maximum(w0 @ w1.T + b1, 0)
        g = h @ w2.T + b2 - [[1, 0]]  # 2 (y - t) / 2
        gh = (g @ w2) * (h > 0)
        for got, expected in [
            (layer2.weight.grad, g.T @ h),
            (layer2.bias.grad, g[0]),
            (layer1.weight.grad, gh.T @ w0),
            (layer1.bias.grad, gh[0]),
            (x.grad, gh @ w1),
        ]:
            np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)

    def test_gradient_accumulation(self):
        """Two half batches add up to the whole one."""
        manual_seed(0)
        model, x = TwoLayers(), np.random.default_rng(6).normal(size=(8, 3))
        labels = np.array([0, 1, 1, 0, 1, 0, 0, 1])
        cross_entropy(model(Tensor(x)), labels).backward()
        whole = [p.grad for p in model.parameters()]
        model.zero_grad()
        for half in (slice(0, 4), slice(4, 8)):
            (cross_entropy(model(Tensor(x[half])), labels[half]) * 0.5).backward()
        for expected, p in zip(whole, model.parameters(), strict=True):
            np.testing.assert_allclose(p.grad, expected, rtol=1e-4, atol=1e-6)

    def test_a_network_learns_what_no_line_can_separate(self):
        manual_seed(0)
        x, labels = Tensor([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]), [0, 1, 1, 0]
        model = TwoLayers(hidden=16)
        for _ in range(400):
            cross_entropy(model(x), labels).backward()
            step(model, lr=0.5)
        assert model(x).argmax(axis=1).tolist() == labels
        assert cross_entropy(model(x), labels).item() < 0.05

    def test_digits_are_learnt_the_same_way_twice(self):
        pixels, labels = load_digits()

        def train() -> list[float]:
            manual_seed(0)
            layer, losses = Linear(64, 10), []
            for _ in range(20):
                loss = cross_entropy(layer(Tensor(pixels)), labels)
                loss.backward()
                losses.append(loss.item())
                step(layer, lr=0.5)
            return losses

        losses = train()
        assert losses == train()
        assert losses[-1] < 0.7 * losses[0]


class TestAutogradBugPrevention:
    def test_inplace_operations(self):
        """A write that would falsify a gradient is refused; after backward it is welcome."""
        x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
        y = x * x
        with pytest.raises(ValueError, match=r"saved for backward\(\).*Write after backward\(\)"):
            x.data += 1
        y.sum().backward()
        assert x.grad.tolist() == [2, 4, 6]
        x.data += 1
        assert x.data.tolist() == [2, 3, 4]

    def test_inplace_operations_break_graph(self):
        x = Tensor([1, 2, 3], requires_grad=True)
        y = x * 2
        with pytest.raises(ValueError, match=r"drop the graph.*no_grad\(\).*a copy"):
            x.data[0] = 999
        y.backward(Tensor([1, 1, 1]))
        assert x.grad.tolist() == [2, 2, 2]
        assert x.data.tolist() == [1, 2, 3]

    def test_memory_leaks(self, objects_left):
        """Without the garbage collector, a hundred training steps leave no object behind."""
        model, x = TwoLayers(), Tensor(np.ones((4, 3)))

        def train() -> None:
            cross_entropy(model(x), [0, 1, 1, 0]).backward()
            step(model, lr=0.1)

        assert objects_left(train, times=100) < 20

    def test_zero_grad_works(self):
        x = Tensor([3.0], requires_grad=True)
        (x * x).backward()
        x.zero_grad()
        assert x.grad is None
        (x * x).backward()
        assert x.grad.tolist() == [6]

    def test_zero_grad_prevents_accumulation(self):
        x = Tensor([1.0], requires_grad=True)
        (x * 2).backward()
        first = x.grad.copy()
        (x * 3).backward()
        np.testing.assert_array_equal(x.grad, first + 3.0)
        x.zero_grad()
        (x * 4).backward()
        np.testing.assert_array_equal(x.grad, [4.0])

    def test_a_second_backward_is_refused(self):
        x = Tensor([3.0], requires_grad=True)
        loss = x * x
        loss.backward()
        with pytest.raises(RuntimeError, match="second time"):
            loss.backward()
        assert x.grad.tolist() == [6]

    def test_deep_graphs_do_not_overflow(self):
        x = Tensor([1.0], requires_grad=True)
        y = x
        for _ in range(3000):
            y = y + 1
        y.backward()
        assert x.grad.tolist() == [1]

    def test_extreme_values_give_finite_gradients(self):
        logits = Tensor([[1e4, -1e4], [-1e30, 1e30]], requires_grad=True)
        cross_entropy(logits, [1, 0]).backward()
        np.testing.assert_array_equal(logits.grad, [[0.5, -0.5], [-0.5, 0.5]])
