"""Module 04 and the stack below it: values against float64 arithmetic and PyTorch, errors by their words."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinytorch.core.activations import relu, sigmoid, softmax
from tinytorch.core.layers import Linear, Module
from tinytorch.core.losses import (
    BCELoss,
    BCEWithLogitsLoss,
    BinaryCrossEntropyLoss,
    CrossEntropyLoss,
    MSELoss,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    log_softmax,
    mse_loss,
)
from tinytorch.core.tensor import ShapeError, Tensor, manual_seed, zeros
from tito.lab import load_digits

SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=5)
SEEDS = st.integers(0, 2**32 - 1)


def floats(limit: float) -> st.SearchStrategy[float]:
    return st.floats(-limit, limit, width=32)


def tables(limit: float = 300) -> st.SearchStrategy[np.ndarray]:
    """Logits of shape (N, C)."""
    return hnp.arrays(
        np.float32, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=6), elements=floats(limit)
    )


def exact_log_softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """The same formula in float64."""
    wide = x.astype(np.float64)
    return wide - np.logaddexp.reduce(wide, axis=axis, keepdims=True)


class TestPriorStackStillWorking:
    def test_tensor_reductions(self):
        x = Tensor([[1, 2], [3, 4]])
        np.testing.assert_array_equal((x * x).mean(axis=0).data, [5, 10])

    def test_activations(self):
        np.testing.assert_array_equal(relu(Tensor([-1, 2])).data, [0, 2])
        np.testing.assert_allclose(softmax(Tensor([[0, 0]])).data, [[0.5, 0.5]])

    def test_linear_maps_batches(self):
        assert Linear(4, 3)(zeros(5, 4)).shape == (5, 3)


class TestModule04MeanSquaredError:
    @given(SHAPES, SEEDS)
    def test_equals_the_formula(self, shape, seed):
        p, t = np.random.default_rng(seed).normal(size=(2, *shape)).astype(np.float32)
        got = mse_loss(Tensor(p), Tensor(t))
        assert got.shape == ()
        assert got.data.dtype == np.float32
        np.testing.assert_allclose(got.data, np.mean((p.astype(np.float64) - t) ** 2), rtol=1e-5)
        np.testing.assert_array_equal(got.data, mse_loss(Tensor(t), Tensor(p)).data)

    def test_zero_when_right(self):
        assert mse_loss(Tensor([1, 2]), Tensor([1, 2])).item() == 0

    def test_lists_and_float64_arrays_are_targets_too(self):
        for target in ([1, 5], np.array([1.0, 5.0])):
            assert mse_loss(Tensor([1, 2]), target).item() == 4.5

    @pytest.mark.parametrize("a, b", [((3, 1), (3,)), ((3,), (3, 1)), ((2, 3), (3,)), ((1,), ()), ((2, 3), (3, 2))])
    @pytest.mark.parametrize("loss", [mse_loss, binary_cross_entropy, binary_cross_entropy_with_logits])
    def test_nothing_is_broadcast(self, loss, a, b):
        with pytest.raises(ShapeError) as raised:
            loss(zeros(*a), zeros(*b))
        assert str(a) in str(raised.value)
        assert str(b) in str(raised.value)

    @pytest.mark.parametrize("loss", [mse_loss, binary_cross_entropy, binary_cross_entropy_with_logits])
    def test_an_empty_batch_is_refused(self, loss):
        with pytest.raises(ShapeError, match="empty"):
            loss(zeros(0, 3), zeros(0, 3))


class TestModule04LogSoftmax:
    @given(tables(), st.sampled_from([0, 1, -1, -2]))
    def test_equals_the_formula_for_scores_of_any_size(self, x, axis):
        got = log_softmax(Tensor(x), axis=axis).data
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, exact_log_softmax(x, axis), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(np.exp(got.astype(np.float64)).sum(axis=axis), 1, rtol=1e-4)

    def test_a_masked_class_keeps_its_minus_infinity(self):
        got = log_softmax(Tensor([0, 0, -np.inf])).data
        np.testing.assert_allclose(got, [-math.log(2), -math.log(2), -np.inf], rtol=1e-6)

    def test_the_argument_is_left_alone(self):
        x = Tensor([1, 2, 3])
        log_softmax(x)
        np.testing.assert_array_equal(x.data, [1, 2, 3])


class TestModule04CrossEntropy:
    @given(tables(), st.data())
    def test_is_the_mean_surprise(self, x, data):
        N, C = x.shape
        labels = np.array(data.draw(st.lists(st.integers(0, C - 1), min_size=N, max_size=N)))
        expected = -exact_log_softmax(x)[np.arange(N), labels].mean()
        for target in (labels, labels.tolist(), labels.astype(np.uint8), Tensor(labels)):
            got = cross_entropy(Tensor(x), target)
            assert got.shape == ()
            assert got.data.dtype == np.float32
            np.testing.assert_allclose(got.data, expected, rtol=1e-5, atol=1e-6)

    @given(st.integers(1, 1000), st.integers(1, 8))
    def test_knowing_nothing_costs_ln_c(self, classes, rows):
        got = cross_entropy(zeros(rows, classes), np.arange(rows) % classes).item()
        assert got == pytest.approx(math.log(classes), rel=1e-5, abs=1e-6)

    def test_keeps_the_softmax_for_the_derivative(self):
        x = np.random.default_rng(0).normal(size=(2, 3, 5)).astype(np.float32) * 50
        before = x.copy()
        _, kept = cross_entropy.__wrapped__(x, np.zeros((2, 3), dtype=int))
        assert kept.dtype == np.float32
        np.testing.assert_allclose(kept, np.exp(exact_log_softmax(x)).reshape(6, 5), rtol=1e-4, atol=1e-7)
        np.testing.assert_array_equal(x, before)
        assert not np.shares_memory(kept, x)

    def test_leading_axes_and_a_single_example(self):
        x = np.random.default_rng(1).normal(size=(2, 3, 4))
        labels = np.array([[0, 1, 2], [3, 0, 1]])
        whole = cross_entropy(Tensor(x), labels).item()
        assert whole == cross_entropy(Tensor(x.reshape(6, 4)), labels.reshape(6)).item()
        single = cross_entropy(Tensor(x[0, 0]), 3).item()
        assert single == pytest.approx(-exact_log_softmax(x[0, 0])[3], rel=1e-5)

    def test_a_sure_mistake_is_finite(self):
        assert cross_entropy(Tensor([[1000, 0]]), [1]).item() == 1000

    @pytest.mark.parametrize(
        "labels, error, words",
        [
            ([0, 3], IndexError, ["label 3", "3 classes"]),
            ([-1, 0], IndexError, ["label -1", "0 to 2"]),
            ([0.0, math.nan], IndexError, ["label nan"]),
            ([0.0, math.inf], IndexError, ["label inf"]),
            (Tensor([0, 3]), IndexError, ["label 3"]),
            ([0.5, 1.0], TypeError, ["whole numbers", "0.5"]),
            (["cat", "dog"], TypeError, ["whole numbers"]),
            ([0, 1, 2], ShapeError, ["(2, 3)", "(2,)", "(3,)"]),
            ([[0], [1]], ShapeError, ["(2, 1)"]),
            ([[1, 0, 0], [0, 1, 0]], ShapeError, ["one-hot", "argmax"]),
        ],
    )
    def test_labels_that_do_not_fit(self, labels, error, words):
        with pytest.raises(error) as raised:
            cross_entropy(zeros(2, 3), labels)
        assert type(raised.value) is error
        for word in words:
            assert word in str(raised.value)

    def test_an_empty_batch_is_refused(self):
        with pytest.raises(ShapeError, match="empty"):
            cross_entropy(zeros(0, 3), [])


class TestModule04Binary:
    @given(SHAPES, SEEDS)
    def test_both_forms_equal_the_formula(self, shape, seed):
        rng = np.random.default_rng(seed)
        x, t = rng.normal(size=shape) * 3, rng.uniform(size=shape)
        x, t = np.float32(x), np.float32(t)
        expected = np.mean(np.logaddexp(0, np.float64(x)) - np.float64(x) * t)
        for got in (
            binary_cross_entropy_with_logits(Tensor(x), Tensor(t)),
            binary_cross_entropy(sigmoid(Tensor(x)), Tensor(t)),
        ):
            assert got.shape == ()
            assert got.data.dtype == np.float32
            np.testing.assert_allclose(got.data, expected, rtol=1e-4, atol=1e-5)

    @given(floats(1000), st.floats(0, 1, width=32))
    def test_yes_and_no_are_mirror_images(self, x, t):
        left = binary_cross_entropy_with_logits(Tensor([x]), Tensor([t])).item()
        right = binary_cross_entropy_with_logits(Tensor([-x]), Tensor([1]) - Tensor([t])).item()
        assert left == pytest.approx(right, rel=1e-5, abs=1e-4)

    @pytest.mark.filterwarnings("error")
    def test_certainty_is_clamped_at_100_without_a_warning(self):
        assert binary_cross_entropy(Tensor([0, 1]), Tensor([0, 1])).item() == 0
        assert binary_cross_entropy(Tensor([0, 1]), Tensor([1, 0])).item() == 100

    @pytest.mark.filterwarnings("error")
    def test_logits_are_not_clamped(self):
        assert binary_cross_entropy_with_logits(Tensor([-3000, 3000]), Tensor([1, 0])).item() == 3000

    @pytest.mark.parametrize("wrong", [1.5, -0.25, math.nan])
    def test_what_is_no_probability_is_refused(self, wrong):
        with pytest.raises(ArithmeticError, match=f"{wrong} is not a probability.*with_logits"):
            binary_cross_entropy(Tensor([0.5, wrong]), Tensor([1, 0]))


class TestModule04Classes:
    def test_each_class_is_its_function(self):
        x, t = Tensor([[0.2, 0.7], [0.9, 0.1]]), Tensor([[0, 1], [1, 0]])
        for loss, function in [
            (MSELoss(), mse_loss),
            (BinaryCrossEntropyLoss(), binary_cross_entropy),
            (BCEWithLogitsLoss(), binary_cross_entropy_with_logits),
        ]:
            assert isinstance(loss, Module)
            assert not list(loss.parameters())
            assert loss(x, t).item() == function(x, t).item()
        assert CrossEntropyLoss()(x, [1, 0]).item() == cross_entropy(x, [1, 0]).item()

    def test_the_short_name_is_the_same_class(self):
        assert BCELoss is BinaryCrossEntropyLoss


class TestAgainstPyTorch:
    def test_values(self):
        torch = pytest.importorskip("torch")
        F = torch.nn.functional
        rng = np.random.default_rng(5)
        for scale in (0.1, 1, 30, 300):
            x = (rng.normal(size=(6, 7)) * scale).astype(np.float32)
            t = rng.uniform(size=(6, 7)).astype(np.float32)
            labels = rng.integers(0, 7, size=6)
            p = 1 / (1 + np.exp(-x.astype(np.float64)))
            p = p.astype(np.float32)
            p[0, :2] = 0, 1
            tx, tt, tp = map(torch.tensor, (x, t, p))
            for got, expected in [
                (mse_loss(Tensor(x), Tensor(t)), F.mse_loss(tx, tt)),
                (log_softmax(Tensor(x)), F.log_softmax(tx, -1)),
                (log_softmax(Tensor(x), axis=0), F.log_softmax(tx, 0)),
                (cross_entropy(Tensor(x), labels), F.cross_entropy(tx, torch.tensor(labels))),
                (binary_cross_entropy(Tensor(p), Tensor(t)), F.binary_cross_entropy(tp, tt)),
                (
                    binary_cross_entropy_with_logits(Tensor(x), Tensor(t)),
                    F.binary_cross_entropy_with_logits(tx, tt),
                ),
            ]:
                np.testing.assert_allclose(got.data, expected.numpy(), rtol=2e-6, atol=1e-6)


class TestProgressiveStackIntegration:
    def test_a_fresh_network_knows_nothing(self):
        manual_seed(0)
        pixels, labels = load_digits()
        hidden, output = Linear(64, 32), Linear(32, 10)
        loss = CrossEntropyLoss()(output(relu(hidden(Tensor(pixels)))), labels).item()
        assert abs(loss - math.log(10)) < 0.5

    def test_one_step_against_the_known_slope_lowers_the_loss(self):
        """The derivative of cross-entropy is (p - onehot) / N; module 05 will find it by itself."""
        manual_seed(0)
        pixels, labels = load_digits()
        x, layer = Tensor(pixels), Linear(64, 10)
        losses = []
        for _ in range(5):
            logits = layer(x)
            losses.append(cross_entropy(logits, labels).item())
            slope = (softmax(logits).data - np.eye(10, dtype=np.float32)[labels]) / np.float32(len(labels))
            layer.weight.data = layer.weight.data - slope.T @ pixels
        assert losses == sorted(losses, reverse=True)
        assert losses[-1] < losses[0] - 0.1
