"""Module 01 on its own, as the exported package gives it: values against NumPy, errors by their words."""

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinytorch.core import tensor as T
from tinytorch.core.tensor import ShapeError, Tensor

FLOATS = st.floats(-100, 100, width=32)


def arrays(max_dims: int = 4) -> st.SearchStrategy[np.ndarray]:
    return hnp.arrays(
        np.float32, hnp.array_shapes(min_dims=0, max_dims=max_dims, min_side=0, max_side=4), elements=FLOATS
    )


class TestTensorCore:
    @pytest.mark.parametrize("data", [3, 2.5, [1, 2], [[1.0], [2.0]], (1, 2), np.arange(4), np.float64(2), True, []])
    def test_any_real_numbers_become_float32(self, data):
        tensor = Tensor(data)
        np.testing.assert_array_equal(tensor.data, np.array(data, dtype=np.float32))
        assert tensor.data.dtype == np.float32
        assert tensor.grad is None
        assert tensor._grad_fn is None
        assert not tensor.requires_grad

    def test_numbers_are_copied(self):
        array = np.ones(3, dtype=np.float32)
        tensor = Tensor(array)
        array[0] = 7
        np.testing.assert_array_equal(tensor.data, [1, 1, 1])

    @pytest.mark.parametrize("data", ["3", ["a"], None, [None], [1, "2"], 1j, {}, object()])
    def test_other_data_is_refused(self, data):
        with pytest.raises(TypeError, match="real numbers"):
            Tensor(data)

    def test_ragged_lists_name_their_lengths(self):
        with pytest.raises(ShapeError, match=r"lengths \[2, 1\].*pad or cut"):
            Tensor([[1, 2], [3]])

    def test_a_list_of_tensors_points_to_stack(self):
        with pytest.raises(TypeError, match="stack"):
            Tensor([Tensor(1.0), Tensor(2.0)])

    def test_repr_shows_numbers_shape_and_flag(self):
        assert repr(Tensor([[1, 2], [3, 4]])) == "Tensor([[1., 2.],\n        [3., 4.]], shape=(2, 2))"
        assert repr(Tensor(2.0, requires_grad=True)) == "Tensor(2., requires_grad=True)"

    def test_item_needs_one_element(self):
        assert Tensor([[4.0]]).item() == 4.0
        with pytest.raises(ValueError, match=r"shape \(2,\)"):
            Tensor([1, 2]).item()

    def test_numpy_copies_and_detach_shares(self):
        x = Tensor([1.0, 2.0])
        x.numpy()[0] = 9
        assert x.data[0] == 1
        assert np.shares_memory(x.detach().data, x.data)

    def test_deep_copies_are_independent(self):
        x = Tensor([1.0, 2.0], requires_grad=True)
        y = copy.deepcopy(x)
        y.data[0] = 9
        assert x.data[0] == 1
        assert y.requires_grad

    def test_comparison_gives_booleans(self):
        x = Tensor([1.0, 2.0, 3.0])
        assert (x > 1).tolist() == [False, True, True]
        assert (x == Tensor([1, 0, 3])).tolist() == [True, False, True]
        np.testing.assert_array_equal(x[x > 1].data, [2, 3])
        assert len({x, x, Tensor([1.0])}) == 2

    def test_writing_an_element(self):
        x = T.zeros(2, 3)
        x[0, Tensor([0, 2])] = Tensor([5.0, 6.0])
        np.testing.assert_array_equal(x.data, [[5, 0, 6], [0, 0, 0]])


class TestAgainstNumpy:
    @given(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=4), st.integers(0, 2**32 - 1))
    def test_arithmetic_broadcasts(self, shapes, seed):
        rng = np.random.default_rng(seed)
        a, b = (rng.uniform(0.5, 2, size=s).astype(np.float32) for s in shapes.input_shapes)
        for name in (
            "__add__",
            "__sub__",
            "__mul__",
            "__truediv__",
            "__radd__",
            "__rsub__",
            "__rmul__",
            "__rtruediv__",
        ):
            got = getattr(Tensor(a), name)(Tensor(b))
            expected = getattr(a, name)(b)
            np.testing.assert_allclose(got.data, expected, rtol=1e-6)
            assert got.data.dtype == np.float32
        assert T.broadcast_shape(a.shape, b.shape) == shapes.result_shape

    @given(hnp.array_shapes(max_dims=4, min_side=0, max_side=4), hnp.array_shapes(max_dims=4, min_side=0, max_side=4))
    def test_broadcast_shape_agrees_with_numpy(self, a, b):
        try:
            expected = np.broadcast_shapes(a, b)
        except ValueError:
            with pytest.raises(ShapeError):
                T.broadcast_shape(a, b)
        else:
            assert T.broadcast_shape(a, b) == expected

    @pytest.mark.parametrize("other", [2, 0.5, np.float64(3), np.arange(1, 4), np.arange(1, 4, dtype=np.float32)])
    def test_numbers_and_arrays_on_either_side(self, other):
        x = np.array([1.0, 2.0, 4.0], dtype=np.float32)
        tensor = Tensor(x)
        for got, expected in [
            (tensor + other, x + other),
            (other + tensor, other + x),
            (other - tensor, other - x),
            (other * tensor, other * x),
            (other / tensor, other / x),
            (other**tensor, other**x),
            (tensor**other, x**other),
        ]:
            assert got.data.dtype == np.float32
            np.testing.assert_allclose(got.data, expected, rtol=1e-6)

    @given(arrays())
    def test_elementwise_functions(self, x):
        tensor = Tensor(x)
        np.testing.assert_array_equal((-tensor).data, -x)
        np.testing.assert_array_equal(abs(tensor).data, np.abs(x))
        np.testing.assert_array_equal(tensor.clip(-1, 2).data, np.clip(x, -1, 2))
        np.testing.assert_allclose((tensor * 0.1).exp().data, np.exp(x * np.float32(0.1)), rtol=1e-6)
        np.testing.assert_allclose(abs(tensor).sqrt().data, np.sqrt(np.abs(x)), rtol=1e-6)
        np.testing.assert_allclose((abs(tensor) + 1).log().data, np.log(np.abs(x) + 1), rtol=1e-6)
        for exponent in (2, 3, 1, 0):
            np.testing.assert_allclose((tensor**exponent).data, x**exponent, rtol=1e-5)

    @given(
        hnp.arrays(np.float32, hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4), elements=FLOATS),
        st.data(),
    )
    def test_reductions_over_any_axes(self, x, data):
        axes = data.draw(st.none() | st.integers(-x.ndim, x.ndim - 1) | st.sets(st.integers(0, x.ndim - 1), min_size=1))
        axis = tuple(sorted(axes)) if isinstance(axes, set) else axes
        keepdims = data.draw(st.booleans())
        for name in ("sum", "mean", "max", "min", "var"):
            got = getattr(Tensor(x), name)(axis=axis, keepdims=keepdims).data
            expected = getattr(x.astype(np.float64), name)(axis=axis, keepdims=keepdims)
            np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-3)
            assert got.dtype == np.float32

    @pytest.mark.parametrize(
        "a, b",
        [((2, 3), (3, 4)), ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((5, 2, 3), (3, 4)), ((5, 2, 3), (5, 3, 4)),
         ((2, 1, 2, 3), (5, 3, 2)), ((0, 3), (3, 2)), ((4, 0), (0, 4))],
    )  # fmt: skip
    def test_matmul(self, a, b):
        rng = np.random.default_rng(0)
        x, y = rng.normal(size=a).astype(np.float32), rng.normal(size=b).astype(np.float32)
        np.testing.assert_allclose((Tensor(x) @ Tensor(y)).data, x @ y, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose((x @ Tensor(y)).data, x @ y, rtol=1e-5, atol=1e-6)

    @given(arrays())
    def test_shapes_come_back(self, x):
        tensor = Tensor(x)
        np.testing.assert_array_equal(
            tensor.reshape(-1).data if x.size else tensor.data, x.reshape(-1) if x.size else x
        )
        np.testing.assert_array_equal(tensor.T.data, x.T)
        np.testing.assert_array_equal(tensor.unsqueeze(0).squeeze(0).data, x)
        np.testing.assert_array_equal(tensor.squeeze().data, x.squeeze())

    def test_transpose_permute_expand_flatten(self):
        x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
        tensor = Tensor(x)
        np.testing.assert_array_equal(tensor.transpose().data, x.swapaxes(-1, -2))
        np.testing.assert_array_equal(tensor.transpose(0, 2).data, x.swapaxes(0, 2))
        np.testing.assert_array_equal(tensor.permute(2, 0, 1).data, x.transpose(2, 0, 1))
        np.testing.assert_array_equal(tensor.flatten(1).data, x.reshape(2, 12))
        np.testing.assert_array_equal(Tensor([[1], [2]]).expand(3, 2, 4).data, np.broadcast_to([[1], [2]], (3, 2, 4)))
        np.testing.assert_array_equal(Tensor([[1], [2]]).expand(-1, 2).data, [[1, 1], [2, 2]])
        assert tensor.T.shape == (4, 3, 2)

    @pytest.mark.parametrize(
        "key",
        [0, -1, slice(1, 3), (slice(None), 1), (..., 2), None, [2, 0, 2], (0, [1, 1]), np.array([True, False, True])],
    )
    def test_indexing(self, key):
        x = np.arange(12, dtype=np.float32).reshape(3, 4)
        np.testing.assert_array_equal(Tensor(x)[key].data, x[key])

    def test_iteration_gives_rows(self):
        assert [row.data.tolist() for row in Tensor([[1, 2], [3, 4]])] == [[1, 2], [3, 4]]

    @pytest.mark.parametrize("axis", [0, 1, -1])
    def test_cat_and_stack(self, axis):
        a, b = np.ones((2, 3), np.float32), np.zeros((2, 3), np.float32)
        np.testing.assert_array_equal(T.cat([Tensor(a), Tensor(b)], axis).data, np.concatenate([a, b], axis))
        np.testing.assert_array_equal(T.stack([Tensor(a), Tensor(b)], axis).data, np.stack([a, b], axis))


class TestErrors:
    @pytest.mark.parametrize(
        "call, words",
        [
            (lambda: T.zeros(2, 3) + T.zeros(4), [r"\(2, 3\)", r"\(4,\)", "unsqueeze"]),
            (lambda: T.zeros(2, 3) @ T.zeros(2, 3), [r"\(2, 3\)", "transpose"]),
            (lambda: T.zeros(2, 3).reshape(4, 2), ["6 numbers", r"\(4, 2\)"]),
            (lambda: T.zeros(2, 3).reshape(-1, -1), ["only one"]),
            (lambda: T.zeros(0).max(), ["no elements"]),
            (lambda: T.zeros(2, 3).expand(2, 4), [r"\(2, 3\)"]),
            (lambda: T.cat([T.zeros(2, 3), T.zeros(2)]), [r"\(2, 3\)"]),
            (lambda: T.cat([T.zeros(2, 3), T.zeros(3, 2)]), [r"\(2, 3\)", r"\(3, 2\)"]),
            (lambda: T.cat([]), ["at least one"]),
        ],
    )
    def test_shapes_are_named(self, call, words):
        with pytest.raises(ValueError) as raised:
            call()
        for word in words:
            assert raised.match(word)

    def test_backward_waits_for_module_05(self, monkeypatch):
        monkeypatch.setattr(T, "_engine", None)
        with pytest.raises(RuntimeError, match="module 05"):
            Tensor(1.0, requires_grad=True).backward()

    def test_a_0d_tensor_has_no_length(self):
        with pytest.raises(TypeError, match="item"):
            len(Tensor(1.0))


class TestFactories:
    def test_values_and_dtypes(self):
        for got, expected in [
            (T.zeros(2, 3), np.zeros((2, 3))),
            (T.ones((2,)), np.ones(2)),
            (T.full((2, 2), 7.5), np.full((2, 2), 7.5)),
            (T.eye(3), np.eye(3)),
            (T.arange(2, 8, 2), np.arange(2, 8, 2)),
        ]:
            np.testing.assert_array_equal(got.data, expected)
            assert got.data.dtype == np.float32

    def test_a_seed_repeats_the_numbers(self):
        T.manual_seed(3)
        first = T.rand(4).data.tolist() + T.randn(4).data.tolist()
        T.manual_seed(3)
        assert first == T.rand(4).data.tolist() + T.randn(4).data.tolist()

    def test_randn_is_standard_normal(self):
        T.manual_seed(0)
        x = T.randn(100_000).data
        assert abs(x.mean()) < 0.02  # five standard errors: 5 / sqrt(100000)
        assert abs(x.std() - 1) < 0.02

    def test_requires_grad_is_kept(self):
        assert T.randn(2, requires_grad=True).requires_grad
