"""Axes that are not there, 0-d Tensors, sizes of 0, and blocks that do not fit: as PyTorch, through one check."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinytorch.core.activations import softmax
from tinytorch.core.layers import linear
from tinytorch.core.losses import log_softmax
from tinytorch.core.tensor import AxisError, ShapeError, Tensor, cat, ones, stack, zeros

REDUCTIONS = ["sum", "mean", "var", "std", "norm", "max", "min"]


class TestAxesThatAreNotThere:
    @pytest.mark.parametrize("axis", [2, -3, 5, -7])
    @pytest.mark.parametrize("name", [*REDUCTIONS, "argmax", "squeeze", "size", "flatten", "softmax"])
    def test_are_refused_by_name_and_shape(self, name, axis):
        x = Tensor([[1.0, 2.0], [3.0, 4.0]])
        calls = {"softmax": lambda: softmax(x, axis), "size": lambda: x.size(axis), "flatten": lambda: x.flatten(axis)}
        with pytest.raises(AxisError, match=rf"\(2, 2\) has no axis {axis} "):
            calls.get(name, lambda: getattr(x, name)(axis=axis))()

    def test_unsqueeze_has_one_place_more(self):
        x = zeros(2, 3)
        assert [x.unsqueeze(axis).shape for axis in (2, -3)] == [(2, 3, 1), (1, 2, 3)]
        for axis in (3, -4):
            with pytest.raises(IndexError, match=f"no axis {axis}"):
                x.unsqueeze(axis)

    def test_other_nonsense(self):
        x = zeros(2, 3)
        with pytest.raises(ValueError, match="named twice"):
            x.sum(axis=(0, -2))
        with pytest.raises(TypeError, match="whole number"):
            x.mean(axis=0.5)
        with pytest.raises(TypeError, match="two words for one thing"):
            x.sum(axis=1, dim=1)
        with pytest.raises(TypeError, match="no option dims"):
            x.sum(dims=1)

    @settings(derandomize=True, deadline=None)
    @given(
        st.lists(st.integers(0, 3), max_size=3), st.integers(-5, 5), st.sampled_from(["sum", "squeeze", "unsqueeze"])
    )
    def test_as_pytorch(self, shape, axis, name):
        torch = pytest.importorskip("torch")
        ours, theirs = Tensor(np.ones(shape)), torch.ones(shape)
        try:
            expected = tuple(getattr(theirs, name)(axis).shape)
        except IndexError:
            with pytest.raises(IndexError):
                getattr(ours, name)(axis)
        else:
            assert getattr(ours, name)(axis).shape == expected


class TestZeroAxes:
    @pytest.mark.parametrize("axis", [None, 0, -1, ()])
    @pytest.mark.parametrize("name", ["sum", "mean", "max", "min", "norm"])
    def test_a_reduction_of_a_single_number_is_that_number(self, name, axis):
        x = Tensor(3.0, requires_grad=True)
        out = getattr(x, name)(axis=axis)
        out.backward()
        assert (out.shape, out.item(), float(x.grad)) == ((), 3.0, 1.0)

    def test_its_variance_is_0(self):
        x = Tensor(3.0, requires_grad=True)
        out = x.var(axis=0, keepdims=True)
        out.backward()
        assert (out.item(), float(x.grad)) == (0.0, 0.0)

    def test_no_axes_are_all_axes(self):
        x = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
        out = x.sum(axis=())
        out.backward()
        assert out.item() == 10
        np.testing.assert_array_equal(x.grad, np.ones((2, 2)))
        assert x.mean(axis=(), keepdims=True).shape == (1, 1)


class TestSizesOfZero:
    @pytest.mark.parametrize("shape, out", [((0, 3), (0, 2)), ((2, 0, 3), (2, 0, 2))])
    def test_linear_without_rows(self, shape, out):
        x, w, b = (Tensor(np.ones(s), requires_grad=True) for s in (shape, (2, 3), (2,)))
        y = linear(x, w, b)
        y.sum().backward()
        assert (y.shape, x.grad.shape) == (out, shape)
        np.testing.assert_array_equal(w.grad, np.zeros((2, 3)))
        np.testing.assert_array_equal(b.grad, [0, 0])

    def test_linear_without_features_is_the_bias(self):
        x, w, b = (Tensor(np.ones(s), requires_grad=True) for s in ((4, 0), (2, 0), (2,)))
        y = linear(x, w, b)
        y.sum().backward()
        np.testing.assert_array_equal(y.data, np.ones((4, 2)))
        assert (x.grad.shape, w.grad.shape, b.grad.tolist()) == ((4, 0), (2, 0), [4, 4])

    def test_linear_without_outputs(self):
        x, w = Tensor(np.ones((4, 3)), requires_grad=True), Tensor(np.ones((0, 3)), requires_grad=True)
        linear(x, w).sum().backward()
        np.testing.assert_array_equal(x.grad, np.zeros((4, 3)))
        assert w.grad.shape == (0, 3)

    @pytest.mark.parametrize("shape, axis, out", [((0, 3), 1, (0,)), ((2, 0, 3), 2, (2, 0)), ((2, 0, 3), (0, 2), (0,))])
    def test_max_over_what_is_there(self, shape, axis, out):
        x = Tensor(np.ones(shape), requires_grad=True)
        y = x.max(axis=axis)
        y.backward(np.ones(out))
        assert (y.shape, x.grad.shape) == (out, shape)

    @pytest.mark.parametrize("axis", [None, 0])
    def test_max_over_nothing_is_refused(self, axis):
        with pytest.raises(ShapeError, match="no elements to choose from"):
            zeros(0, 3).max(axis=axis)

    @pytest.mark.parametrize("shape", [(0, 3), (3, 0), (2, 0, 3), (0,)])
    def test_softmax_of_nothing_is_nothing(self, shape):
        for function in (softmax, log_softmax):
            x = Tensor(np.ones(shape), requires_grad=True)
            y = function(x)
            y.sum().backward()
            assert (y.shape, x.grad.shape) == (shape, shape)

    @pytest.mark.parametrize("shape, start, out", [((0, 3, 4), 1, (0, 12)), ((2, 0, 4), 1, (2, 0)), ((), 0, (1,))])
    def test_flatten(self, shape, start, out):
        assert Tensor(np.ones(shape)).flatten(start).shape == out


class TestBlocksThatDoNotFit:
    @pytest.mark.parametrize(
        "shapes, axis",
        [
            ([(2, 3), (2, 1)], 0),
            ([(2, 3), (1, 3)], 1),
            ([(2, 3), (3,)], 0),
            ([(1, 3), (1, 1)], -2),
            ([(2, 1, 3), (2, 4, 1)], 1),
        ],
    )
    def test_cat_does_not_stretch_them(self, shapes, axis):
        with pytest.raises(ShapeError, match=r"cat: shapes .* must agree"):
            cat([ones(*shape) for shape in shapes], axis)

    @pytest.mark.parametrize("shapes", [[(2, 3), (1, 3)], [(3,), (1,)], [(3,), ()], [(2, 3), (3,)]])
    def test_stack_does_not_either(self, shapes):
        with pytest.raises(ShapeError, match=r"stack: shapes .* differ"):
            stack([ones(*shape) for shape in shapes])

    def test_what_fits(self):
        assert cat([ones(2, 3), ones(0, 3), ones(4, 3)]).shape == (6, 3)
        assert stack([ones(()), zeros(())]).tolist() == [1, 0]
        with pytest.raises(ShapeError, match="use stack"):
            cat([ones(()), zeros(())])
        with pytest.raises(IndexError, match="no axis 2"):
            cat([ones(2, 3), ones(2, 3)], axis=2)
