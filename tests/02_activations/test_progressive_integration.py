"""Module 02 and the Tensor below it: values against float64 arithmetic and PyTorch, shapes, dtypes and edges."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinytorch.core import activations as A
from tinytorch.core.activations import GELU, ReLU, Sigmoid, Softmax, Tanh, gelu, relu, sigmoid, softmax, tanh
from tinytorch.core.tensor import ShapeError, Tensor, cat
from tito.lab import load_digits

ELEMENTWISE = (relu, sigmoid, tanh, gelu)
AXES = st.integers(-3, 2)


def arrays(limit: float, min_dims: int = 0, min_side: int = 0) -> st.SearchStrategy[np.ndarray]:
    shapes = hnp.array_shapes(min_dims=min_dims, max_dims=3, min_side=min_side, max_side=5)
    return hnp.arrays(np.float32, shapes, elements=st.floats(-limit, limit, width=32))


def exact(name: str, x: np.ndarray) -> np.ndarray:
    """The elementwise formulas in float64."""
    wide = x.astype(np.float64)
    if name == "relu":
        return (wide + np.abs(wide)) / 2
    if name == "sigmoid":
        return np.exp(-np.logaddexp(0, -wide))
    if name == "tanh":
        return np.tanh(wide)
    return 0.5 * wide * (1 + np.tanh(math.sqrt(2 / math.pi) * (wide + 0.044715 * wide**3)))


def exact_softmax(x: np.ndarray, axis: int) -> np.ndarray:
    """Softmax in float64, by another road: through the logarithm of the sum."""
    wide = x.astype(np.float64)
    return np.exp(wide - np.logaddexp.reduce(wide, axis=axis, keepdims=True))


class TestPriorStackStillWorking:
    def test_tensor_arithmetic(self):
        x = Tensor([[1, 2], [3, 4]])
        np.testing.assert_array_equal((x @ x.T + 1).data, [[6, 12], [12, 26]])
        np.testing.assert_array_equal(cat([x, x], axis=1).sum(axis=0).data, [4, 6, 4, 6])

    def test_digits_are_read_by_their_nearest_neighbour(self):
        from tinytorch.core.tensor import squared_distances

        pixels, labels = load_digits()
        nearest = squared_distances(Tensor(pixels[1700:]), Tensor(pixels[:1700])).data.argmin(axis=1)
        assert np.mean(labels[:1700][nearest] == labels[1700:]) > 0.95


class TestElementwise:
    @pytest.mark.parametrize("operation", ELEMENTWISE, ids=lambda operation: operation.__name__)
    @given(x=arrays(30))
    def test_agrees_with_float64(self, operation, x):
        before = x.copy()
        out = operation(Tensor(x)).data
        np.testing.assert_allclose(out, exact(operation.__name__, x), rtol=2e-5, atol=2e-6)
        assert out.dtype == np.float32
        assert out.shape == x.shape
        np.testing.assert_array_equal(x, before)

    @pytest.mark.parametrize("operation", ELEMENTWISE, ids=lambda operation: operation.__name__)
    def test_the_input_stays_as_it_was(self, operation):
        x = Tensor([-2.0, -0.5, 0.0, 3.0])
        out = operation(x)
        np.testing.assert_array_equal(x.data, [-2, -0.5, 0, 3])
        assert not np.shares_memory(out.data, x.data)

    @pytest.mark.parametrize("operation", (*ELEMENTWISE, softmax), ids=lambda operation: operation.__name__)
    def test_views_are_read_in_their_own_order(self, operation):
        x = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
        for view in (x.T, x[::2, ::-1], np.broadcast_to(x[0], (3, 6))):
            np.testing.assert_allclose(operation(Tensor(view)).data, operation(Tensor(view.copy())).data, rtol=1e-6)

    @pytest.mark.parametrize("operation", (*ELEMENTWISE, softmax), ids=lambda operation: operation.__name__)
    def test_nan_is_passed_on(self, operation):
        assert np.isnan(operation(Tensor([np.nan])).data).all()

    @pytest.mark.parametrize("operation", (*ELEMENTWISE, softmax), ids=lambda operation: operation.__name__)
    def test_huge_numbers_raise_no_warning(self, operation):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            out = operation(Tensor([-1000.0, -100.0, -88.0, 0.0, 88.0, 100.0, 1000.0])).data
        assert np.isfinite(out).all()

    @given(arrays(50))
    def test_relu_passes_or_stops(self, x):
        out = relu(Tensor(x)).data
        np.testing.assert_array_equal(out[x > 0], x[x > 0])
        assert not out[x <= 0].any()
        np.testing.assert_array_equal(relu(Tensor(out)).data, out)

    @given(arrays(80))
    def test_sigmoid_is_symmetric_and_keeps_its_tail(self, x):
        np.testing.assert_allclose(sigmoid(Tensor(x)).data + sigmoid(Tensor(-x)).data, np.ones_like(x), rtol=1e-6)
        np.testing.assert_allclose(sigmoid(Tensor(x)).data, exact("sigmoid", x), rtol=3e-5)

    @given(arrays(20))
    def test_tanh_is_odd(self, x):
        np.testing.assert_array_equal(tanh(Tensor(-x)).data, -tanh(Tensor(x)).data)

    @given(arrays(20))
    def test_gelu_of_both_signs_differ_by_x(self, x):
        np.testing.assert_allclose(gelu(Tensor(x)).data - gelu(Tensor(-x)).data, x, rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize("value", [-3.0, -1.0, -0.1, 0.0, 0.5, 2.0, 4.0])
    def test_gelu_follows_the_exact_form(self, value):
        wanted = 0.5 * value * (1 + math.erf(value / math.sqrt(2)))
        assert gelu(Tensor(value)).item() == pytest.approx(wanted, abs=5e-4)

    def test_gelu_keeps_its_tanh_in_float32(self):
        x = np.linspace(-4, 4, 9, dtype=np.float32)
        y, t = gelu.__wrapped__(x)
        assert y.dtype == t.dtype == np.float32
        np.testing.assert_allclose(0.5 * x * (1 + t), y, rtol=1e-6)
        assert not np.shares_memory(y, t)


class TestSoftmax:
    @given(arrays(300, min_dims=3, min_side=1), AXES)
    def test_agrees_with_float64_along_any_axis(self, x, axis):
        out = softmax(Tensor(x), axis=axis).data
        np.testing.assert_allclose(out, exact_softmax(x, axis), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(out.sum(axis=axis), np.ones(out.sum(axis=axis).shape), rtol=1e-5)
        assert out.dtype == np.float32

    @given(arrays(8, min_dims=2, min_side=1), st.integers(-64, 64))
    def test_a_shift_changes_nothing(self, x, shift):
        x = np.round(x * 64) / 64  # so that adding a whole number loses no digit
        np.testing.assert_array_equal(softmax(Tensor(x + np.float32(shift))).data, softmax(Tensor(x)).data)

    @given(arrays(50, min_dims=2, min_side=1))
    def test_the_order_of_scores_is_kept(self, x):
        out = softmax(Tensor(x)).data
        np.testing.assert_array_equal(np.take_along_axis(out, x.argmax(-1)[..., None], -1)[..., 0], out.max(-1))

    def test_the_axis_may_stand_by_position_or_name(self):
        x = Tensor(np.arange(6).reshape(2, 3))
        np.testing.assert_array_equal(softmax(x, 0).data, softmax(x, axis=0).data)
        np.testing.assert_array_equal(softmax(x).data, softmax(x, axis=1).data)

    def test_rows_far_apart_do_not_disturb_each_other(self):
        out = softmax(Tensor([[0, 1], [1000, 1001], [-1000, -999]])).data
        np.testing.assert_allclose(out, [[0.26894143, 0.7310586]] * 3, rtol=1e-6)

    def test_a_masked_class_gets_nothing(self):
        np.testing.assert_array_equal(softmax(Tensor([0, -np.inf, 0])).data, [0.5, 0, 0.5])

    def test_one_class_is_certain(self):
        np.testing.assert_array_equal(softmax(Tensor([[5.0], [-7.0]])).data, [[1], [1]])
        assert softmax(Tensor(3.0)).item() == 1

    def test_an_empty_batch_stays_empty(self):
        assert softmax(Tensor(np.ones((0, 3)))).shape == (0, 3)

    def test_an_axis_that_is_not_there_is_an_error_with_the_shape(self):
        with pytest.raises(ShapeError, match=r"softmax.*\(2, 3\).*axis 2"):
            softmax(Tensor(np.ones((2, 3))), axis=2)


class TestObjects:
    @pytest.mark.parametrize(
        "layer, function",
        [(ReLU(), relu), (Sigmoid(), sigmoid), (Tanh(), tanh), (GELU(), gelu), (Softmax(), softmax)],
        ids=lambda part: repr(part) if isinstance(part, A.Activation) else part.__name__,
    )
    def test_objects_do_what_the_functions_do(self, layer, function):
        x = Tensor(np.random.default_rng(1).normal(size=(3, 4)))
        np.testing.assert_array_equal(layer(x).data, function(x).data)
        np.testing.assert_array_equal(layer.forward(x).data, function(x).data)

    def test_softmax_holds_its_axis(self):
        x = Tensor(np.arange(6).reshape(2, 3))
        np.testing.assert_array_equal(Softmax(axis=0)(x).data, softmax(x, axis=0).data)

    def test_their_names(self):
        layers = [ReLU(), Sigmoid(), Tanh(), GELU(), Softmax(), Softmax(axis=1)]
        assert [repr(layer) for layer in layers] == [
            "ReLU()", "Sigmoid()", "Tanh()", "GELU()", "Softmax(axis=-1)", "Softmax(axis=1)"
        ]  # fmt: skip

    def test_the_base_asks_for_a_forward(self):
        with pytest.raises(NotImplementedError, match="Activation has no forward"):
            A.Activation()(Tensor(1.0))

    def test_they_are_found_where_pytorch_has_them(self):
        from tinytorch import nn

        assert nn.ReLU is ReLU
        assert nn.Softmax is Softmax
        assert nn.functional.gelu is gelu
        assert nn.functional.softmax is softmax


class TestAgainstPyTorch:
    @pytest.fixture
    def functional(self):
        return pytest.importorskip("torch").nn.functional

    @pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh", "gelu"])
    def test_elementwise(self, name, functional):
        import torch

        x = np.concatenate([np.linspace(-12, 12, 481), [-100, 100, -1e-6, 1e-6]]).astype(np.float32)
        options = {"approximate": "tanh"} if name == "gelu" else {}
        expected = getattr(functional, name)(torch.from_numpy(x), **options).numpy()
        np.testing.assert_allclose(getattr(A, name)(Tensor(x)).data, expected, rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize("axis", [-1, 0, 1])
    def test_softmax(self, axis, functional):
        import torch

        x = np.random.default_rng(2).normal(scale=20, size=(3, 4, 5)).astype(np.float32)
        expected = functional.softmax(torch.from_numpy(x), dim=axis).numpy()
        np.testing.assert_allclose(softmax(Tensor(x), axis=axis).data, expected, rtol=2e-6, atol=1e-7)


class TestProgressiveStackIntegration:
    def test_two_relu_units_solve_xor(self):
        corners = Tensor([[0, 0], [0, 1], [1, 0], [1, 1]])
        hidden = relu(corners @ Tensor([[1, 1], [1, 1]]) + Tensor([0, -1]))  # (4, 2)
        np.testing.assert_array_equal((hidden @ Tensor([1, -2])).data, [0, 1, 1, 0])

    @given(st.integers(0, 2**32 - 1))
    def test_without_a_bend_two_layers_are_one(self, seed):
        rng = np.random.default_rng(seed)
        x, w1, w2 = (Tensor(rng.normal(size=shape)) for shape in [(5, 4), (4, 6), (6, 3)])
        np.testing.assert_allclose((x @ w1 @ w2).data, (x @ (w1 @ w2)).data, rtol=1e-3, atol=1e-4)

    @pytest.mark.parametrize("layer", [ReLU(), Sigmoid(), Tanh(), GELU()], ids=repr)
    def test_random_features_of_real_digits_beat_the_pixels(self, layer):
        pixels, labels = load_digits()
        rng = np.random.default_rng(3)
        weight, bias = Tensor(rng.normal(size=(64, 400)) / 4), Tensor(rng.normal(size=400))
        bent = layer(Tensor(pixels) @ weight + bias).data  # (1797, 64) -> (1797, 400)

        def share(features):
            columns = np.column_stack([features, np.ones(len(features))]).astype(np.float64)
            seen = columns[:1400]
            ridge = seen.T @ seen + 0.01 * np.eye(seen.shape[1])
            scores = columns[1400:] @ np.linalg.solve(ridge, seen.T @ np.eye(10)[labels[:1400]])
            return np.mean(softmax(Tensor(scores)).data.argmax(axis=1) == labels[1400:])

        assert share(bent) > share(pixels) + 0.03

    def test_results_do_not_ask_for_gradients_nobody_asked_for(self):
        for layer in (ReLU(), Sigmoid(), Tanh(), GELU(), Softmax()):
            out = layer(Tensor([[1.0, -1.0]]))
            assert out.grad is None
            assert out._grad_fn is None
            assert not out.requires_grad
