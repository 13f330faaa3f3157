"""A small gradient after a large one, and steps that are refused before anything has moved."""

import numpy as np
import pytest

from tinytorch.core.optimizers import SGD, Adam, AdamW, RMSprop
from tinytorch.core.tensor import Tensor


def after(kind, gradients, **options):
    """Where a weight is that began at 0, after one step for each gradient."""
    w = Tensor([0.0], requires_grad=True)
    optimizer = kind([w], **options)
    for g in gradients:
        w.grad = np.float32([g])
        optimizer.step()
    return float(w.data[0])


class TestSmallAfterLarge:
    """Without memory every step is lr * sign(g); arithmetic that subtracts the old mean loses the small gradient."""

    @pytest.mark.parametrize("small", [1e-3, 1e-6, -1e-4])
    def test_rmsprop(self, small):
        assert after(RMSprop, [1e6, small], lr=0.1, alpha=0.0, eps=0.0) == pytest.approx(
            -0.1 - 0.1 * np.sign(small), rel=1e-5, abs=1e-7
        )

    @pytest.mark.parametrize("small", [1e-3, 1e-6, -1e-4])
    @pytest.mark.parametrize("kind", [Adam, AdamW])
    def test_adam(self, kind, small):
        got = after(kind, [1e6, small], lr=0.1, betas=(0.0, 0.0), eps=0.0, weight_decay=0.0)
        assert got == pytest.approx(-0.1 - 0.1 * np.sign(small), rel=1e-5, abs=1e-7)

    def test_as_pytorch(self):
        torch = pytest.importorskip("torch")
        gradients = [1e5, 1e-3, -20.0, 1e-5, 3.0]
        for ours, theirs, options in [
            (RMSprop, torch.optim.RMSprop, {"alpha": 0.0}),
            (Adam, torch.optim.Adam, {"betas": (0.0, 0.0)}),
            (Adam, torch.optim.Adam, {"betas": (0.9, 0.0)}),
            (RMSprop, torch.optim.RMSprop, {"alpha": 0.5}),
        ]:
            w = torch.zeros(1, requires_grad=True)
            optimizer = theirs([w], lr=0.1, **options)
            for g in gradients:
                w.grad = torch.tensor([g])
                optimizer.step()
            assert after(ours, gradients, lr=0.1, **options) == pytest.approx(w.item(), rel=1e-4)


class TestNothingMovesBeforeARefusal:
    @staticmethod
    def pair():
        first, second = (Tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
        first.grad = second.grad = np.float32([1, 1])
        return first, second

    def test_a_gradient_of_another_shape(self):
        first, second = self.pair()
        second.grad = np.float32([1, 1, 1])
        with pytest.raises(ValueError, match=r"shape \(3,\) for a parameter of shape \(2,\)"):
            SGD([first, second], lr=1).step()
        np.testing.assert_array_equal(first.data, [1, 2])

    def test_an_option_that_was_changed_for_the_worse(self):
        first, second = self.pair()
        optimizer = SGD([{"params": [first]}, {"params": [second]}], lr=1)
        optimizer.param_groups[1]["lr"] = "fast"
        with pytest.raises(ValueError, match="lr must be a number"):
            optimizer.step()
        np.testing.assert_array_equal(first.data, [1, 2])

    def test_a_parameter_that_a_graph_needs(self):
        first, second = self.pair()
        loss = (second * second).sum()
        with pytest.raises(RuntimeError, match="waits for its backward"):
            SGD([first, second], lr=1).step()
        np.testing.assert_array_equal(first.data, [1, 2])
        assert loss.requires_grad

    def test_gradients_are_float32_whatever_is_put_there(self):
        w = Tensor([1.0, 2.0], requires_grad=True)
        for grad in ([1, 2], np.float64([1, 2]), Tensor([1.0, 2.0])):
            w.grad = grad
            assert type(w.grad) is np.ndarray
            assert w.grad.dtype == np.float32
