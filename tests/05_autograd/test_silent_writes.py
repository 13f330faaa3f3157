"""No honest write after recording falsifies a gradient in silence: it is that of the old numbers, or there is an error.

Each route takes something that shares memory with an operand *before* the graph is recorded, and writes afterwards.
"""

import array
import contextlib
import ctypes
import pickle
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinytorch.core.autograd import Function, no_grad
from tinytorch.core.layers import Module, Parameter
from tinytorch.core.losses import cross_entropy, mse_loss
from tinytorch.core.tensor import Tensor, add, clip, mul, power, where, wrap

W, X = np.float32([1, 2, 3, 4]), np.float32([5, 6, 7, 8])


def memmap(values: np.ndarray, tmp_path: Any) -> np.ndarray:
    mapped = np.memmap(tmp_path / "x.bin", dtype=np.float32, mode="w+", shape=values.shape)
    mapped[:] = values
    return mapped


class Wrapped:
    """Something that NumPy can read, and that hands out its own memory."""

    def __init__(self, protocol):
        self.values = X.copy()
        if protocol == "interface":
            self.__array_interface__ = self.values.__array_interface__


class WithArray(Wrapped):
    def __array__(self, dtype=None, copy=None):
        return self.values


class Scaled(Function):
    @staticmethod
    def forward(ctx, w, x):
        ctx.x = x
        return w * x

    @staticmethod
    def backward(ctx, g):
        return g * ctx.x, None


# What a plain operand may be made of: X as something that is no Tensor, and how to write 100 into it later.
OPERANDS: dict[str, tuple[Callable, Callable]] = {
    "array": (lambda tmp: X.copy(), lambda x: x.fill(100)),
    "float64 array": (lambda tmp: X.astype(np.float64), lambda x: x.fill(100)),
    "integer array": (lambda tmp: X.astype(np.int64), lambda x: x.fill(100)),
    "strided view": (lambda tmp: np.repeat(X, 2)[::2], lambda x: x.fill(100)),
    "list": (lambda tmp: X.tolist(), lambda x: x.__setitem__(slice(None), [100] * 4)),
    "list of lists": (lambda tmp: [X.tolist()], lambda x: x[0].__setitem__(slice(None), [100] * 4)),
    "tuple of lists": (lambda tmp: (X.tolist(),), lambda x: x[0].__setitem__(slice(None), [100] * 4)),
    "memmap": (lambda tmp: memmap(X, tmp), lambda x: x.fill(100)),
    "matrix": (lambda tmp: np.matrix(X), lambda x: x.fill(100)),
    "subclass": (lambda tmp: X.copy().view(np.recarray), lambda x: x.fill(100)),
    "array.array": (lambda tmp: array.array("f", X.tolist()), lambda x: x.__setitem__(0, 100)),
    "ctypes array": (lambda tmp: (ctypes.c_float * 4)(*X), lambda x: x.__setitem__(0, 100)),
    "deque": (lambda tmp: deque(X.tolist()), lambda x: x.__setitem__(0, 100)),
    "__array__": (lambda tmp: WithArray("method"), lambda x: x.values.fill(100)),
    "__array_interface__": (lambda tmp: Wrapped("interface"), lambda x: x.values.fill(100)),
    "masked array": (lambda tmp: np.ma.array(X.copy()), lambda x: x.fill(100)),
    "foreign buffer": (lambda tmp: np.frombuffer(bytearray(X.tobytes()), np.float32), lambda x: x.fill(100)),
}
USES: dict[str, Callable] = {
    "w * x": lambda w, x: w * x,
    "x * w": lambda w, x: mul(x, w),
    "a Function": lambda w, x: Scaled.apply(w, x),
}


@pytest.mark.filterwarnings("ignore:the matrix subclass")
class TestOperandsThatAreNoTensors:
    @pytest.mark.parametrize("use", USES)
    @pytest.mark.parametrize("kind", OPERANDS)
    def test_the_graph_has_its_own_copy(self, kind, use, tmp_path):
        make, change = OPERANDS[kind]
        w, x = Tensor(W, requires_grad=True), make(tmp_path)
        loss = USES[use](w, x).sum()
        change(x)
        loss.backward()
        np.testing.assert_array_equal(w.grad, X)

    def test_options_are_copied_too(self):
        w, low, exponent, target = Tensor(W, requires_grad=True), np.zeros(4), np.full(4, 2), np.zeros(4)
        loss = clip(w, low=low).sum() + power(w, exponent=exponent).sum() + mse_loss(w, target=target)
        for values in (low, exponent, target):
            values[:] = 100
        loss.backward()
        np.testing.assert_allclose(w.grad, 1 + 2 * W + 2 * W / 4)

    def test_labels_and_conditions_and_keys(self):
        logits, labels = Tensor(np.zeros((2, 2)), requires_grad=True), [0, 1]
        loss = cross_entropy(logits, target=labels)
        labels[:] = [1, 1]
        loss.backward()
        np.testing.assert_array_equal(logits.grad, [[-0.25, 0.25], [0.25, -0.25]])
        w, condition, key = Tensor(W, requires_grad=True), np.array([True, False, True, False]), [0, 0]
        loss = where(condition, w, 0).sum() + w[key].sum()
        condition[:] = True
        key[:] = [3, 3]
        loss.backward()
        np.testing.assert_array_equal(w.grad, [3, 0, 1, 0])

    def test_a_matrix_is_an_array(self):
        assert (Tensor(np.eye(2)) * np.matrix([[1, 2], [3, 4]])).tolist() == [[1, 0], [0, 4]]
        assert type(Tensor(np.matrix([[1.0]], dtype=np.float32)).data) is np.ndarray

    @pytest.mark.parametrize("use", USES)
    def test_a_list_of_tensors_is_refused(self, use):
        w = Tensor(W, requires_grad=True)
        with pytest.raises(TypeError, match="stack"):
            USES[use](w, [w[0], w[1], w[2], w[3]])


def view_of_a_view(x: Tensor) -> Tensor:
    """A Tensor that looks into another one's memory, and a raw array of it."""
    return x.reshape(2, 2).T


# What may have been taken out of a Tensor before the graph was recorded; each can be written into.
TAKEN: dict[str, Callable] = {
    "the array": lambda x: x.data,
    "a slice": lambda x: x.data[1:],
    "a reshaped view": lambda x: x.data.reshape(2, 2),
    "a transposed view": lambda x: x.data.reshape(2, 2).T,
    "a view of a view": lambda x: x.data[:3][1:],
    "other bytes": lambda x: x.data.view(np.int32),
    "a diagonal": lambda x: np.einsum("ii->i", x.data.reshape(2, 2)),
    "as_strided": lambda x: np.lib.stride_tricks.as_strided(x.data, (2,), (8,)),
    "a memoryview": lambda x: memoryview(x.data),
    "a subclass": lambda x: x.data.view(np.recarray),
    "np.asarray": lambda x: np.asarray(x.data),
    "broadcast arrays": lambda x: np.atleast_2d(x.data),
    "an array of a detached Tensor": lambda x: x.detach().data[1:],
    "an array of a reshaped Tensor": lambda x: x.detach().reshape(2, 2).data,
    "a flat iterator": lambda x: x.data.flat,
}


def write(taken: Any) -> None:
    if isinstance(taken, memoryview):
        taken[1] = 100.0
    elif isinstance(taken, np.flatiter):
        taken[1] = 100
    else:
        taken[...] = 100


class TestViewsThatAreOlderThanTheGraph:
    @pytest.mark.parametrize("operand", ["the leaf", "the other operand", "a Function's", "a view of it", "twice"])
    @pytest.mark.parametrize("route", TAKEN)
    def test_the_gradient_is_right_or_the_write_refused(self, route, operand):
        w, x = Tensor(W, requires_grad=True), Tensor(X)
        base = w if operand in ("the leaf", "twice") else x
        used = view_of_a_view(x).T.reshape(4) if operand == "a view of it" else x
        taken = TAKEN[route](used if operand == "a view of it" else base)
        graphs = {
            "the leaf": lambda: (w * w * x).sum(),
            "the other operand": lambda: (w * x).sum(),
            "a Function's": lambda: Scaled.apply(w, x).sum(),
            "a view of it": lambda: (w * used).sum(),
            "twice": lambda: (w * x * w).sum(),
        }
        loss = graphs[operand]()
        with contextlib.suppress(ValueError):  # "read-only"
            write(taken)
        loss.backward()
        expected = 2 * W * X if operand in ("the leaf", "twice") else X
        np.testing.assert_array_equal(w.grad, expected)

    def test_a_result_that_is_a_view_of_the_leaf_is_safe_too(self):
        x, w = Tensor(X, requires_grad=True), Tensor(W, requires_grad=True)
        taken = x.data[:]
        loss = (x.reshape(2, 2) * w.reshape(2, 2)).sum()
        taken[:] = 100
        loss.backward()
        np.testing.assert_array_equal(w.grad, X)
        np.testing.assert_array_equal(x.grad, W)

    def test_views_of_expanded_and_shared_memory(self):
        x, w = Tensor([2.0]), Tensor(W, requires_grad=True)
        taken, wide = x.data, x.expand(4)
        loss = (w * wide).sum()
        taken[0] = 100
        loss.backward()
        np.testing.assert_array_equal(w.grad, [2, 2, 2, 2])

    def test_training_goes_on_without_copies_when_nobody_holds_a_view(self, monkeypatch):
        from tinytorch.core.autograd import Engine

        copied = []
        monkeypatch.setattr(Engine, "record_copies", lambda *args: copied.append(args))
        w, x = Tensor(W, requires_grad=True), Tensor(X)
        for _ in range(3):
            (w * x + w * w).sum().backward()
            w.data -= 0.1 * w.grad
            w.zero_grad()
        assert copied == []


class TestForeignMemory:
    def test_the_data_setter_copies(self):
        buffer, w = np.full(8, 3, np.float32), Tensor(W, requires_grad=True)
        w.data = buffer[2:6]
        loss = (w * w).sum()
        buffer[:] = 100
        loss.backward()
        np.testing.assert_array_equal(w.grad, [6, 6, 6, 6])
        other = Tensor(X)
        w.data = other.data
        other.data[0] = 100
        assert w.data[0] == 5

    def test_in_place_on_data_stays_in_place(self):
        w = Tensor(W, requires_grad=True)
        before = w.data
        w.data -= 1
        assert w.data is before

    def test_wrapped_memory_that_is_not_numpys_own(self):
        buffer = bytearray(X.tobytes())
        w, x = Tensor(W, requires_grad=True), wrap(np.frombuffer(buffer, np.float32))
        loss = (w * x).sum()
        buffer[:] = bytes(len(buffer))
        loss.backward()
        np.testing.assert_array_equal(w.grad, X)

    @pytest.mark.parametrize("protocol", [2, 3, 4, 5])
    def test_unpickled_memory(self, protocol):
        array_of_bytes = pickle.loads(pickle.dumps(np.ones(1000, np.float32), protocol))
        w, x = Tensor(np.ones(1000), requires_grad=True), wrap(array_of_bytes)
        loss = (w * x).sum()
        array_of_bytes[:] = 5
        loss.backward()
        np.testing.assert_array_equal(w.grad, np.ones(1000))


class TestWhatAGraphCannotSee:
    def test_requires_grad_of_a_result_cannot_be_switched_off(self):
        w = Tensor(W, requires_grad=True)
        y = w * 2
        with pytest.raises(RuntimeError, match=r"x\.detach\(\)"):
            y.requires_grad = False
        (y * w).sum().backward()
        np.testing.assert_array_equal(w.grad, 4 * W)
        assert y.requires_grad_() is y

    def test_writing_a_recorded_value_into_a_tensor_is_refused(self):
        w, buffer = Tensor(W, requires_grad=True), Tensor(np.zeros(4))
        with pytest.raises(RuntimeError, match="not recorded"):
            buffer[0] = w[0] * 2
        with no_grad():
            buffer[0] = w[0] * 2
        buffer[1] = (w[1] * 2).detach()
        assert buffer.tolist() == [2, 4, 0, 0]

    def test_a_tensor_by_name_is_refused(self):
        w = Tensor(W, requires_grad=True)
        with pytest.raises(TypeError, match="by position"):
            Scaled.apply(w, x=w)
        with pytest.raises(TypeError, match="by position"):
            mse_loss(w, target=w)

    def test_a_forward_that_hands_its_input_back(self):
        class Reverse(Function):
            @staticmethod
            def forward(ctx, x):
                return x

            @staticmethod
            def backward(ctx, g):
                return -g

        w = Tensor(W, requires_grad=True)
        Reverse.apply(w).sum().backward()
        np.testing.assert_array_equal(w.grad, [-1, -1, -1, -1])
        w.data -= 1  # its numbers are free again
        np.testing.assert_array_equal(w.data, W - 1)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(st.data())
def test_random_writes_between_random_operations(data):
    """Programs of operations and honest writes; the gradient is that of the numbers which each operation saw."""
    names = ["a", "b", "c"]
    start = {name: data.draw(st.lists(st.integers(-3, 3), min_size=2, max_size=2)) for name in names}
    tensors = {name: Tensor(start[name], requires_grad=name != "c") for name in names}
    held: list[np.ndarray] = []
    total = tensors["a"].sum() * 0
    expected = {name: np.zeros(2) for name in names}
    for _ in range(data.draw(st.integers(1, 8))):
        name, other = data.draw(st.sampled_from(names)), data.draw(st.sampled_from(names))
        kind = data.draw(st.sampled_from(["multiply", "take", "write", "set", "assign", "drop"]))
        if kind == "multiply":
            now, then = tensors[name].numpy(), tensors[other].numpy()
            total = total + (tensors[name] * tensors[other]).sum()
            expected[name] += then
            expected[other] += now
        elif kind == "take":
            held.append(tensors[name].data[data.draw(st.integers(0, 1)) :])
        elif kind == "drop":
            held.clear()
        elif kind == "assign":
            tensors[name].data = np.float32([7, 8])
        else:
            try:
                if kind == "set":
                    tensors[name][0] = 9
                elif held:
                    held[-1][0] = 9
            except ValueError as error:
                assert "saved for backward" in str(error) or "read-only" in str(error)
    total.backward()
    for name in ("a", "b"):
        got = np.zeros(2) if tensors[name].grad is None else tensors[name].grad
        np.testing.assert_array_equal(got, expected[name])


def test_the_counter_of_holders_is_calibrated():
    """A fresh array that only its Tensor knows is frozen, not copied, whatever Python version counts how."""
    x = Tensor(X)
    x.data.sum()
    loss = add(Tensor(W, requires_grad=True), x)
    assert not x._data.flags.writeable
    assert loss.requires_grad


def test_loading_a_state_into_a_model_that_a_graph_needs_changes_nothing():
    """Also where only the last of its parameters is saved."""
    model = Module()
    model.first, model.last = Parameter(W), Parameter(W)
    waiting = (model.last * Tensor(X, requires_grad=True)).sum()
    with pytest.raises(ValueError, match=r"last: saved for a backward\(\).*nothing was loaded"):
        model.load_state_dict({"first": X, "last": X})
    np.testing.assert_array_equal(model.first.data, W)
    waiting.backward()
    np.testing.assert_array_equal(model.last.grad, X)
    model.load_state_dict({"first": X, "last": X})
    np.testing.assert_array_equal(model.first.data, X)
