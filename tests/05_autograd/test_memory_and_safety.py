"""What the graph saves is safe from writes while it is needed, and gone when it is not."""

import copy
import gc
import subprocess
import sys
import tracemalloc
import weakref

import numpy as np
import pytest

from tinytorch.core import autograd
from tinytorch.core.activations import relu, tanh
from tinytorch.core.autograd import Function, Node, no_grad
from tinytorch.core.layers import Linear
from tinytorch.core.losses import cross_entropy, mse_loss
from tinytorch.core.tensor import Tensor, concatenate, manual_seed

MESSAGE = r"saved for backward\(\).*Write after backward\(\), drop the graph.*no_grad\(\).*a copy"

RESULT = r"the result of a recorded operation.*y\.numpy\(\)"


def parameter() -> Tensor:
    return Tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], requires_grad=True)


def square(x: Tensor) -> Tensor:
    return (x * x).sum()


def add_in_place(x: Tensor) -> None:
    x.data += 1


def subtract_in_place(x: Tensor) -> None:
    x.data -= np.ones((2, 3), dtype=np.float32)


def multiply_row(x: Tensor) -> None:
    x.data[0] *= 2


def write_without_recording(x: Tensor) -> None:
    with no_grad():
        x.T[0] = 1


def set_element(x: Tensor) -> None:
    x[0] = 1


def set_column(x: Tensor) -> None:
    x[:, Tensor([0, 2])] = Tensor([7.0, 8.0])


def set_detached(x: Tensor) -> None:
    x.detach()[0, 0] = 1


def set_transposed(x: Tensor) -> None:
    x.T.data[0] = 1


def set_reshaped(x: Tensor) -> None:
    x.reshape(-1).data[0] = 1


def set_detached_view(x: Tensor) -> None:
    x.detach().T.reshape(3, 2).data[0] = 1


def set_part_of_data(x: Tensor) -> None:
    x.data[0][1] = 1


def set_view_of_data(x: Tensor) -> None:
    x.data.T.reshape(3, 2)[0] = 1


# Every route to the numbers that leads through a Tensor: refused in our words.
EXPLAINED = [
    add_in_place,
    subtract_in_place,
    multiply_row,
    write_without_recording,
    set_element,
    set_column,
    set_detached,
    set_transposed,
    set_reshaped,
    set_detached_view,
    set_part_of_data,
    set_view_of_data,
    lambda x: np.add(x.data, 1, out=x.data),
    lambda x: np.matmul(np.ones((2, 2), np.float32), np.ones((2, 3), np.float32), out=x.data),
    lambda x: np.sum(np.ones((4, 2, 3), np.float32), axis=0, out=x.data),
    lambda x: np.clip(x.data, 0, 1, out=x.data),
]

# NumPy functions that write without asking the array: refused in NumPy's words.
REFUSED = [
    lambda x: x.data.fill(0),
    lambda x: x.data.sort(),
    lambda x: x.data.put(0, 1),
    lambda x: np.copyto(x.data, 0),
    lambda x: np.putmask(x.data, True, 1),
    lambda x: np.add.at(x.data, 0, 1),
    lambda x: np.random.default_rng(0).shuffle(x.data),
    lambda x: x.data.view(np.ndarray).__setitem__(0, 1),
    lambda x: np.asarray(x.data).__setitem__(0, 1),
]


class TestWritesAreRefused:
    @pytest.mark.parametrize("write", EXPLAINED)
    def test_with_an_explanation(self, write):
        x = parameter()
        loss = square(x)
        with pytest.raises(ValueError, match=MESSAGE):
            write(x)
        loss.backward()
        np.testing.assert_array_equal(x.grad, [[2, 4, 6], [8, 10, 12]])

    @pytest.mark.parametrize("write", REFUSED)
    def test_by_numpy(self, write):
        x = parameter()
        loss = square(x)
        with pytest.raises(ValueError, match="read-only"):
            write(x)
        loss.backward()
        np.testing.assert_array_equal(x.grad, [[2, 4, 6], [8, 10, 12]])

    @pytest.mark.parametrize("write", EXPLAINED + REFUSED)
    @pytest.mark.parametrize(
        "view",
        [lambda x: x.detach(), lambda x: x.detach().T.T, lambda x: x.detach().reshape(3, 2).reshape(2, 3)],
        ids=["detach", "transpose", "reshape"],
    )
    def test_through_a_view_that_is_older_than_the_graph(self, view, write):
        x = parameter()
        older = view(x)
        loss = square(x)
        with pytest.raises(ValueError, match=f"{MESSAGE}|read-only"):
            write(older)
        loss.backward()
        np.testing.assert_array_equal(x.grad, [[2, 4, 6], [8, 10, 12]])

    def test_through_a_sibling_view(self):
        base = Tensor([1.0, 2.0, 3.0, 4.0])
        left, right = base.reshape(2, 2), base.T
        w = Tensor([[1.0, 1.0], [1.0, 1.0]], requires_grad=True)
        loss = (w * left).sum()
        for tensor in (base, left, right):
            with pytest.raises(ValueError, match=MESSAGE):
                tensor.data[:] = 0
        loss.backward()
        np.testing.assert_array_equal(w.grad, [[1, 2], [3, 4]])

    def test_the_flag_cannot_be_switched_back(self):
        x = parameter()
        loss = square(x)
        with pytest.raises(ValueError, match="WRITEABLE"):
            x.data.setflags(write=True)
        assert loss.item() == 91

    def test_an_array_that_was_taken_before_may_change_for_the_graph_has_a_copy(self):
        x = parameter()
        array = x.data
        loss = square(x)
        array[0] = 1
        loss.backward()
        np.testing.assert_array_equal(x.grad, [[2, 4, 6], [8, 10, 12]])
        np.testing.assert_array_equal(x.data[0], [1, 1, 1])

    def test_inputs_without_gradient_are_kept_safe_too(self):
        w, x = Tensor([2.0], requires_grad=True), Tensor([3.0])
        loss = w * x
        with pytest.raises(ValueError, match=MESSAGE):
            x.data[0] = 100
        loss.backward()
        assert w.grad.tolist() == [3]

    def test_results_are_kept_safe(self):
        x = Tensor([0.5], requires_grad=True)
        y = x.exp()
        for tensor in (y, y.detach(), y.T):
            with pytest.raises(ValueError, match=RESULT):
                tensor.data[0] = 0
        y.backward()
        with pytest.raises(ValueError, match=RESULT):  # true after the fact, too
            y.data[0] = 0
        np.testing.assert_allclose(x.grad, np.exp([0.5]), rtol=1e-6)

    def test_a_function_keeps_its_inputs_safe(self):
        class Square(Function):
            @staticmethod
            def forward(ctx, x):
                ctx.x = x
                return x * x

            @staticmethod
            def backward(ctx, g):
                return 2 * ctx.x * g

        x = Tensor([3.0], requires_grad=True)
        y = Square.apply(x)
        with pytest.raises(ValueError, match=MESSAGE):
            x.data[0] = 0
        y.backward()
        assert x.grad.tolist() == [6]
        x.data[0] = 0
        assert x.data.tolist() == [0]

    def test_reading_is_not_disturbed(self):
        x = parameter()
        loss = square(x)
        data = x.data
        assert repr(data) == repr(x.numpy())
        assert type(data + 1) is np.ndarray
        assert type(np.exp(data)) is np.ndarray
        assert type(data.sum()) is np.float32
        np.testing.assert_array_equal(np.stack([data, data])[1], x.numpy())
        writable = data.copy()
        writable[0] = 9
        assert x.data[0, 0] == 1
        assert loss.requires_grad

    def test_rebinding_data_leaves_the_graph_with_the_old_numbers(self):
        x = Tensor([3.0], requires_grad=True)
        loss = square(x)
        x.data = np.array([100.0], dtype=np.float32)
        loss.backward()
        assert x.grad.tolist() == [6]


class TestPlainArrays:
    """Arrays that are no Tensors cannot be guarded, so the graph has its own copy of what it needs."""

    @pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
    def test_operands(self, dtype):
        array = np.array([3, 4], dtype=dtype)
        for function in (lambda w: w * array, lambda w: array * w):
            array[:] = [3, 4]
            w = Tensor([1.0, 2.0], requires_grad=True)
            loss = function(w).sum()
            array[:] = 100
            loss.backward()
            assert w.grad.tolist() == [3, 4]

    def test_a_slice_of_a_larger_array(self):
        data = np.arange(12, dtype=np.float32).reshape(4, 3)
        w = Tensor(np.ones((3, 2)), requires_grad=True)
        loss = (data[1:3] @ w).sum()
        data[:] = 0
        loss.backward()
        np.testing.assert_array_equal(w.grad, [[9, 9], [11, 11], [13, 13]])

    def test_labels_and_targets(self):
        labels, target = np.array([0, 1]), np.array([1.0, 2.0], dtype=np.float32)
        logits, prediction = Tensor(np.zeros((2, 2)), requires_grad=True), Tensor([0.0, 0.0], requires_grad=True)
        loss = cross_entropy(logits, labels) + mse_loss(prediction, target)
        labels[:] = 0
        target[:] = 100
        loss.backward()
        np.testing.assert_array_equal(logits.grad, [[-0.25, 0.25], [0.25, -0.25]])
        np.testing.assert_array_equal(prediction.grad, [-1, -2])

    @pytest.mark.parametrize("wrap", [lambda key: key, lambda key: (key, slice(None)), lambda key: key[:]])
    def test_indices(self, wrap):
        key = np.array([0, 1])
        x = Tensor(np.zeros((3, 2)), requires_grad=True)
        out = x[wrap(key)]
        key[:] = 2
        out.sum().backward()
        np.testing.assert_array_equal(x.grad, [[1, 1], [1, 1], [0, 0]])

    def test_blocks(self):
        block = np.ones(2, dtype=np.float32)
        x = Tensor([1.0], requires_grad=True)
        out = concatenate(x, *[block] * 9)
        block[:] = 5
        np.testing.assert_array_equal(out.data, [1] * 19)
        out.sum().backward()
        assert x.grad.tolist() == [1]


class TestWritingWorksAgain:
    def test_after_backward(self):
        x = parameter()
        square(x).backward()
        x.data -= np.float32(0.5) * x.grad
        np.testing.assert_array_equal(x.data, np.zeros((2, 3)))
        x[0] = 7
        x.detach().T.data[2, 1] = 8
        np.testing.assert_array_equal(x.data, [[7, 7, 7], [0, 0, 8]])

    def test_after_backward_while_the_loss_is_still_there(self):
        x = parameter()
        loss = square(x)
        loss.backward()
        x.data[0, 0] = 9
        assert (loss.item(), x.data[0, 0]) == (91, 9)

    def test_when_the_loss_is_deleted(self):
        x = parameter()
        loss = square(x)
        del loss
        x.data[0, 0] = 9
        assert x.data[0, 0] == 9

    def test_nothing_is_frozen_under_no_grad(self):
        x = parameter()
        with no_grad():
            out = x * x
            x.data[0, 0] = 9
            out.data[0, 0] = 5
        assert (x.data[0, 0], out.data[0, 0]) == (9, 5)

    def test_nothing_is_frozen_without_requires_grad(self):
        x = Tensor([1.0])
        out = x * x
        x.data[0] = 9
        out.data[0] = 5
        assert (x.item(), out.item()) == (9, 5)

    def test_two_graphs_must_both_be_gone(self):
        x = parameter()
        first, second = square(x), square(x * 2)
        first.backward()
        with pytest.raises(ValueError, match=MESSAGE):
            x.data[0] = 1
        del second
        x.data[0] = 1
        np.testing.assert_array_equal(x.data[0], [1, 1, 1])

    def test_two_graphs_in_the_other_order(self):
        x = parameter()
        first, second = square(x), square(x * 2)
        del second
        with pytest.raises(ValueError, match=MESSAGE):
            x.data[0] = 1
        first.backward()
        x.data[0] = 1
        np.testing.assert_array_equal(x.data[0], [1, 1, 1])

    def test_a_view_and_its_base_in_two_graphs(self):
        x = parameter()
        transposed = x.detach().T
        transposed.requires_grad = True
        first, second = square(x), square(transposed)
        first.backward()
        for tensor in (x, transposed):
            with pytest.raises(ValueError, match=MESSAGE):
                tensor.data[0] = 1
        second.backward()
        transposed.data[0] = [7, 8]
        np.testing.assert_array_equal(x.data[:, 0], [7, 8])
        np.testing.assert_array_equal(transposed.grad, x.grad.T)

    def test_a_graph_kept_by_a_middle_result(self):
        x = parameter()
        middle = x * x
        loss = middle.sum()
        del loss
        with pytest.raises(ValueError, match=MESSAGE):
            x.data[0] = 1
        del middle
        x.data[0] = 1
        assert x.data[0].tolist() == [1, 1, 1]

    def test_a_copy_of_a_frozen_parameter_is_free(self):
        x = parameter()
        loss = square(x)
        other = copy.deepcopy(x)
        other.data[0] = 0
        loss.backward()
        np.testing.assert_array_equal(x.grad, [[2, 4, 6], [8, 10, 12]])
        np.testing.assert_array_equal(other.data[0], [0, 0, 0])
        assert other.grad is None

    def test_every_step_of_training_may_update_in_place(self):
        manual_seed(0)
        x, target = Tensor(np.eye(3)), Tensor([[1.0], [2.0], [3.0]])
        layer = Linear(3, 1)
        losses = []
        for _ in range(50):
            loss = mse_loss(layer(x), target)
            loss.backward()
            losses.append(loss.item())
            for p in layer.parameters():
                p.data -= np.float32(0.3) * p.grad
                p.zero_grad()
        assert losses[-1] < 1e-2 * losses[0]


def training_step(model: list[Linear], x: Tensor, labels: np.ndarray) -> None:
    loss = cross_entropy(model[1](relu(model[0](x))), labels)
    loss.backward()
    for layer in model:
        for p in layer.parameters():
            p.data -= np.float32(0.1) * p.grad
            p.zero_grad()


@pytest.fixture
def without_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("without_collector")
class TestNothingLeaks:
    def test_a_thousand_training_steps_leave_the_number_of_objects_flat(self):
        manual_seed(0)
        model = [Linear(4, 8), Linear(8, 3)]
        x, labels = Tensor(np.ones((5, 4))), np.array([0, 1, 2, 0, 1])
        for _ in range(10):
            training_step(model, x, labels)
        objects, blocks = len(gc.get_objects()), sys.getallocatedblocks()
        for _ in range(1000):
            training_step(model, x, labels)
        assert len(gc.get_objects()) - objects < 20
        assert sys.getallocatedblocks() - blocks < 200

    def test_a_thousand_forward_passes_without_backward_too(self):
        model = [Linear(4, 8), Linear(8, 3)]
        x = Tensor(np.ones((5, 4)))
        objects = len(gc.get_objects())
        for _ in range(1000):
            relu(model[0](x)).sum()
        assert len(gc.get_objects()) - objects < 20

    def test_gradients_accumulated_a_thousand_times_stay_one_array(self):
        x = Tensor([1.0], requires_grad=True)
        objects = len(gc.get_objects())
        for _ in range(1000):
            square(x).backward()
        assert x.grad.tolist() == [2000]
        assert len(gc.get_objects()) - objects < 20

    def test_a_loss_takes_its_graph_with_it(self):
        x = parameter()
        middle = x.exp()
        saved = weakref.ref(middle._data)
        loss = middle.sum()
        del middle
        assert saved() is not None
        del loss
        assert saved() is None

    def test_backward_frees_what_was_saved_though_the_loss_stays(self):
        x = parameter()
        loss = (x * 0.1).exp().sum()
        saved = weakref.ref(loss._grad_fn.edges[0][0].edges[0][3][0])  # what the rule of exp asked for: its result
        assert saved() is not None
        loss.backward()
        assert saved() is None
        assert loss.requires_grad

    def test_saved_arrays_are_released_while_the_walk_goes_on(self):
        alive = []

        class Look(Function):
            @staticmethod
            def forward(ctx, x):
                return x + 0

            @staticmethod
            def backward(ctx, g):
                alive.append(sum(array() is not None for array in watched))
                return g

        x = Tensor([0.1, 0.2], requires_grad=True)
        watched = []
        y = Look.apply(x)
        for _ in range(3):
            for _ in range(5):
                y = tanh(y)
                watched.append(weakref.ref(y._data))
            y = Look.apply(y)
        loss = y.sum()
        del y
        assert sum(array() is not None for array in watched) == 15
        loss.backward()
        assert alive == [15, 10, 5, 0]
        assert x.grad.shape == (2,)

    def test_the_peak_of_backward_stays_near_that_of_forward(self):
        size, depth = 50_000, 20
        x = Tensor(np.full(size, 0.1), requires_grad=True)
        tracemalloc.start()
        y = x
        for _ in range(depth):
            y = tanh(y)
        loss = y.sum()
        del y
        kept = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        loss.backward()
        after, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        array = 4 * size
        assert kept > depth * array
        assert peak < kept + 4 * array
        assert after < 2 * array  # x.grad, and the change

    def test_frozen_arrays_are_forgotten(self):
        before = len(autograd._frozen)
        x = parameter()
        loss = square(x)
        assert len(autograd._frozen) == before + 1
        loss.backward()
        assert len(autograd._frozen) == before

    def test_a_failed_forward_leaves_nothing_frozen(self):
        x = parameter()
        with pytest.raises(ValueError, match=r"\(2, 3\)"):
            x @ x
        x.data[0] = 1
        assert x.data[0].tolist() == [1, 1, 1]


LONG_CHAIN = """
from tinytorch.core.tensor import Tensor
x = Tensor([1.0], requires_grad=True)
y = x
for _ in range({length}):
    y = y * 1.0
{end}
x.data[0] = 5  # refused while the graph lives
print("freed", x.data)
"""


class TestLongChains:
    @pytest.mark.parametrize("end", ["del y", "node = y._grad_fn; del y, node", "y.backward(); print(x.grad)"])
    def test_a_hundred_thousand_operations_are_freed_without_a_crash(self, end):
        """In a process of its own: running out of C stack would take this one down."""
        code = LONG_CHAIN.format(length=100_000, end=end)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines()[-1] == "freed [5.]"

    def test_ten_thousand_operations_go_backward(self):
        x = Tensor([1.0, 2.0], requires_grad=True)
        y = x
        for _ in range(10_000):
            y = y + 0.5
        (y * y).sum().backward()
        np.testing.assert_allclose(x.grad, [2 * 5001, 2 * 5002], rtol=1e-5)

    def test_a_ladder_with_two_to_the_500_paths(self):
        x = Tensor(1.0, requires_grad=True)
        y = x
        for _ in range(500):
            y = y * 0.5 + y * 0.5
        y.backward()
        assert x.grad == 1


class TestNoGrad:
    @staticmethod
    def records() -> bool:
        return (Tensor(1.0, requires_grad=True) * 2)._grad_fn is not None

    def test_nothing_is_recorded_inside(self):
        x = Tensor([2.0], requires_grad=True)
        with no_grad():
            y = x * x
        assert not y.requires_grad
        assert y._grad_fn is None
        assert y.grad is None
        assert self.records()

    def test_an_exception_restores_recording(self):
        with pytest.raises(KeyError), no_grad():
            assert not self.records()
            raise KeyError
        assert self.records()

    def test_nested(self):
        with no_grad():
            with no_grad():
                assert not self.records()
            assert not self.records()
        assert self.records()

    def test_one_object_used_twice_at_once(self):
        quiet = no_grad()
        with quiet:
            with quiet:
                assert not self.records()
            assert not self.records()
        assert self.records()

    def test_decorator(self):
        @no_grad()
        def evaluate(x, fail=False):
            if fail:
                raise KeyError
            return x * 2

        x = Tensor([3.0], requires_grad=True)
        assert not evaluate(x).requires_grad
        assert evaluate(x).data.tolist() == [6]
        with pytest.raises(KeyError):
            evaluate(x, fail=True)
        assert self.records()

    def test_a_decorated_function_may_call_itself(self):
        @no_grad()
        def power(x, n):
            return x if n == 0 else x * power(x, n - 1)

        assert not power(Tensor([2.0], requires_grad=True), 3).requires_grad
        assert self.records()

    def test_functions_too(self):
        class Double(Function):
            @staticmethod
            def forward(ctx, x):
                assert ctx.needs_input_grad == (False,)
                return x * 2

            @staticmethod
            def backward(ctx, g):
                return g * 2

        with no_grad():
            out = Double.apply(Tensor([1.0], requires_grad=True))
        assert out._grad_fn is None
        assert out.data.tolist() == [2]

    def test_backward_works_inside(self):
        x = Tensor([3.0], requires_grad=True)
        loss = square(x)
        with no_grad():
            loss.backward()
        assert x.grad.tolist() == [6]

    def test_what_was_computed_inside_is_a_constant_outside(self):
        x = Tensor([3.0], requires_grad=True)
        with no_grad():
            c = x * 2
        (x * c).backward()
        assert x.grad.tolist() == [6]

    def test_no_node_is_made_without_requires_grad(self):
        before = Node("probe", [], [], Tensor(0.0)).order
        Tensor([1.0]).exp().sum()
        assert Node("probe", [], [], Tensor(0.0)).order == before + 1
