"""Every derivative rule of modules 01-04, measured.

Each case is one call of one operation. Its forward, run on float64 arrays, gives slopes by central differences;
the rules (in float64) must agree to 1e-5, the recorded float32 gradients to 1e-3, and with PyTorch to 1e-4.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinytorch.core import activations, autograd, layers, losses
from tinytorch.core import tensor as tensors
from tinytorch.core.autograd import VARIADIC, gradient_check, numerical_gradient, unbroadcast
from tinytorch.core.tensor import ShapeError, Tensor, cat, op, stack

OPERATIONS = {
    value.__name__: value
    for module in (tensors, activations, layers, losses)
    for value in vars(module).values()
    if hasattr(value, "__wrapped__") and hasattr(value, "takes")
}

# What has no derivative: whole numbers, shapes and switches, and the targets of losses that nobody learns.
OPTIONS = {"axis", "axes", "keepdims", "shape", "key", "low", "high", "condition"}
TARGETS = {
    ("cross_entropy", "target"),
    ("binary_cross_entropy", "target"),
    ("binary_cross_entropy_with_logits", "target"),
}

repeatable = settings(derandomize=True, deadline=None)


@dataclass
class Case:
    """One call: operation(*arrays, *extras, **options); `learned` of the arrays get a gradient."""

    name: str
    arrays: list[np.ndarray]
    extras: tuple = ()
    options: dict = field(default_factory=dict)
    step: float = 1e-6
    learned: int | None = None

    @property
    def operation(self) -> Any:
        return OPERATIONS[self.name]

    @property
    def count(self) -> int:
        return len(self.arrays) if self.learned is None else self.learned

    def __str__(self) -> str:
        words = [str(x.shape) for x in self.arrays]
        words += [repr(x).replace("\n", "") for x in self.extras]
        words += [f"{k}={v!r}".replace("\n", "") for k, v in self.options.items()]
        return f"{self.name}({', '.join(words)})"

    def float64(self) -> tuple[np.ndarray, Any]:
        """Result and what the forward kept, in float64."""
        result = self.operation.__wrapped__(*self.arrays, *self.extras, **self.options)
        out, saved = result if type(result) is tuple else (result, None)
        return np.array(out, dtype=np.float64), saved

    def recorded(self) -> tuple[list[Tensor], Tensor]:
        """The Tensors that went in and the one that came out."""
        inputs = [Tensor(x, requires_grad=i < self.count) for i, x in enumerate(self.arrays)]
        return inputs, self.operation(*inputs, *self.extras, **self.options)

    def weights(self) -> np.ndarray:
        """The gradient of the result: different numbers everywhere, of both signs."""
        return spread(self.float64()[0].shape, seed=99)

    def rule_in_float64(self, position: int) -> np.ndarray:
        """What the derivative rule of one input answers to `weights`, without the engine."""
        out, saved = self.float64()
        given = [*self.arrays, *self.extras] if self.operation.takes else []
        late = self.operation.names[len(given) :]
        values = [*given, *(self.options.get(name, self.operation.defaults.get(name)) for name in late)]
        shape = self.arrays[position].shape
        rule, pick = self.operation.rules[position]
        return unbroadcast(np.asarray(rule(self.weights(), *pick([*values, out, saved, shape, position]))), shape)

    def slopes(self, position: int) -> np.ndarray:
        """Central differences of sum(weights * result) in the elements of one input."""
        x, weights = self.arrays[position], self.weights()
        slopes = np.zeros(x.shape)
        for at in np.ndindex(x.shape):
            old = x[at]
            x[at] = old + self.step
            up = self.float64()[0]
            x[at] = old - self.step
            down = self.float64()[0]
            x[at] = old
            slopes[at] = ((up - down) * weights).sum() / (2 * self.step)
        return slopes


def spread(shape: tuple[int, ...], low: float = -1.9, high: float = 2.1, seed: int = 0) -> np.ndarray:
    """Distinct float64 numbers in random order, no two closer than they must be: away from ties and from 0."""
    count = math.prod(shape)
    return np.random.default_rng(seed + count).permutation(np.linspace(low, high, count)).reshape(shape)


def positive(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return spread(shape, 0.5, 2.0, seed)


PAIRS = [
    ((), ()), ((3,), ()), ((), (2, 3)), ((1,), ()), ((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 2), (1,)), ((2, 1), (1, 3)),
    ((4, 1, 2), (3, 1)), ((1, 1), (1,)), ((0,), ()), ((0, 3), (3,)), ((0, 3), (1, 3)), ((2, 0), (2, 1)),
    ((1, 2, 1), (2, 1, 3)),
]  # fmt: skip
SHAPES = [(), (1,), (3,), (2, 3), (1, 1), (0,), (2, 0, 3), (2, 3, 2)]
AXES = [None, 0, 1, -1, -3, (0, 2), (-1, 0), (1,), (0, 1, 2)]
PRODUCTS = [
    ((2, 3), (3, 4)), ((1, 1), (1, 1)), ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((1,), (1,)), ((5, 2, 3), (3, 4)),
    ((5, 2, 3), (5, 3, 4)), ((2, 3), (5, 3, 4)), ((1, 2, 3), (5, 3, 4)), ((2, 1, 2, 3), (5, 3, 2)),
    ((2, 4, 2, 3), (4, 3, 2)), ((3,), (5, 3, 2)), ((5, 2, 3), (3,)), ((2, 4, 2, 3), (3,)), ((3,), (2, 4, 3, 2)),
    ((0, 3), (3, 2)), ((4, 0), (0, 4)), ((0, 2, 3), (3, 4)), ((0, 2, 3), (1, 3, 4)), ((0,), (0,)),
    ((3, 3, 3), (3, 3, 3)),
]  # fmt: skip
KEYS = [
    0, -1, np.int64(1), slice(1, 3), slice(None, None, 2), slice(None, None, -1), slice(0, 0), (slice(None), 1),
    (0, 2), (..., 2), (..., None, 1), None, (None, 2), (), [2, 0, 2], [0, 0, 0], np.array([1, 1, -2]),
    np.array([[0, 1], [1, 0]]), np.array(1), (0, [1, 1]), ([0, 2, 0], [1, 3, 1]),
    (slice(None), [3, 0, 3]), ((0, 0), slice(None)),
    (np.array([[0], [2]]), np.array([1, 1, 3])), np.array([True, False, True]),
    [True, False, True], (np.array([True, False, True]), slice(1, 3)),
    (slice(None), np.array([True, False, True, True])), np.arange(12).reshape(3, 4) % 2 == 0, np.zeros(3, dtype=bool),
]  # fmt: skip


def cases() -> list[Case]:
    """All calls that are checked."""
    all_cases = [Case(name, [spread(a), spread(b, seed=1)]) for name in ("add", "sub", "mul") for a, b in PAIRS]
    all_cases += [Case(name, [positive(a), positive(b, seed=1)]) for name in ("div", "power") for a, b in PAIRS]
    for shape in SHAPES:
        all_cases += [
            Case(name, [spread(shape)]) for name in ("neg", "exp", "absolute", "relu", "sigmoid", "tanh", "gelu")
        ]
        all_cases += [Case(name, [positive(shape)]) for name in ("log", "sqrt")]
        all_cases += [
            Case("clip", [spread(shape)], extras) for extras in ((-1, 1), (None, 0.55), (0.55, None), (None, None))
        ]
        all_cases += [Case("power", [spread(shape)], (n,)) for n in (0, 1, 2, 3, 4, 2.0, 3.0, -1)]
        all_cases += [Case("power", [positive(shape)], (n,)) for n in (0.5, -1.5, -2)]
    for name in ("reduce_sum", "reduce_mean", "reduce_max", "reduce_var"):
        all_cases += [Case(name, [spread((2, 3, 4))], (axis, keep)) for axis in AXES for keep in (False, True)]
        all_cases += [
            Case(name, [spread((2, 3))]),
            Case(name, [spread((2, 3))], options={"axis": -1, "keepdims": True}),
        ]
        all_cases += [
            Case(name, [spread(shape)], (None, keep)) for shape in ((), (1,), (1, 1)) for keep in (False, True)
        ]
        all_cases += [Case(name, [spread((1, 3))], (0,)), Case(name, [spread((3, 1))], (-1, True))]
    all_cases += [Case("reduce_sum", [spread((0, 3))], (axis, keep)) for axis in (None, 0, 1) for keep in (False, True)]
    all_cases += [Case(name, [spread((0, 3))], (1, True)) for name in ("reduce_mean", "reduce_var")]
    all_cases += [Case("matmul", [spread(a), spread(b, seed=1)]) for a, b in PRODUCTS]
    for old, new in [
        ((2, 3), (3, 2)),
        ((2, 3), (-1,)),
        ((), (1, 1)),
        ((1,), ()),
        ((0, 3), (3, 0)),
        ((2, 3, 4), (6, -1)),
    ]:
        all_cases.append(Case("reshape", [spread(old)], (new,)))
    for shape, axes in [
        ((2, 3), (1, 0)),
        ((2, 3, 4), (2, 0, 1)),
        ((2, 3, 4), (-1, 0, 1)),
        ((3, 3, 3), (-1, 0, 1)),
        ((), ()),
    ]:
        all_cases.append(Case("permute", [spread(shape)], (axes,)))
    for shape, axes in [((2, 0, 3), (2, 0, 1)), ((2, 3, 4, 5), (0, -1, 1, -2)), ((4,), (-1,))]:
        all_cases.append(Case("permute", [spread(shape)], (axes,)))
    for old, new in [
        ((2, 1), (2, 3)),
        ((1,), (4,)),
        ((), (2, 3)),
        ((2, 1), (5, -1, 3)),
        ((1, 3), (0, 3)),
        ((2, 3), (2, 3)),
    ]:
        all_cases.append(Case("expand", [spread(old)], (new,)))
    all_cases += [Case("index", [spread((3, 4))], options={"key": key}) for key in KEYS]
    all_cases += [
        Case("index", [spread((2, 3, 4))], options={"key": key}) for key in ((0, slice(None), [1, 1]), ([1, 0], 2))
    ]
    for shapes in [((2, 3), (3,)), ((), (2,)), ((0, 3), (3,)), ((2, 1), (1, 3))]:
        all_cases.append(Case("maximum", [spread(shapes[0]), spread(shapes[1], seed=1)]))
    for shape in [(), (3,), (2, 3), (2, 3, 2)]:
        condition = np.array(spread(shape, seed=2) > 0)
        all_cases.append(Case("choose", [spread(shape), spread(shape, seed=1)], (condition,)))
    for axis, keep in [(None, False), (0, False), (1, True), ((0, 2), False)]:
        all_cases.append(Case("euclidean_norm", [positive((2, 3, 4))], options={"axis": axis, "keepdims": keep}))
    all_cases.append(Case("index", [spread((0, 4))], options={"key": (slice(None), 2)}))
    for shapes, axis in [
        ([(2, 3), (1, 3), (2, 3)], 0), ([(2, 3), (2, 1)], 1), ([(2, 3), (2, 1)], -1), ([(4,)], 0),
        ([(0, 3), (2, 3)], 0), ([(2, 1, 3), (2, 4, 3)], -2), ([(1,), (1,)], -1),
    ]:  # fmt: skip
        blocks = [spread(shape, seed=i) for i, shape in enumerate(shapes)]
        all_cases.append(
            Case("concatenate", blocks, options={"axis": axis}, step=0.25)
        )  # its result is made in float32
    for name in ("softmax", "log_softmax"):
        for shape in [(3,), (1,), (2, 3), (2, 3, 4), (0, 3), (5, 1)]:
            all_cases += [Case(name, [spread(shape)]), Case(name, [spread(shape)], (-1,))]
        all_cases += [Case(name, [spread((2, 3, 4))], (axis,)) for axis in (0, 1, -2, -3)]
        all_cases += [Case(name, [spread((2, 3, 4))], options={"axis": 1})]
    for shape in [(5, 3), (3,), (1, 3), (2, 4, 3), (0, 3), (2, 0, 3), (2, 1, 4, 3)]:
        x, weight, bias = spread(shape), spread((2, 3), seed=1), spread((2,), seed=2)
        all_cases += [
            Case("linear", [x, weight, bias]),
            Case("linear", [x, weight]),
            Case("linear", [x, weight], (None,)),
        ]
    for shape in [(), (1,), (4,), (2, 3), (2, 3, 2)]:
        dyadic = [
            np.array(np.round(spread(shape, seed=i) * 64) / 64) for i in (0, 1)
        ]  # the forward rounds the target to float32
        all_cases.append(Case("mse_loss", dyadic, step=2.0**-6))
        truth = np.array(np.round(spread(shape, 0, 1, seed=1) * 64) / 64)
        all_cases.append(Case("binary_cross_entropy", [spread(shape, 0.1, 0.9), truth], learned=1))
        all_cases.append(Case("binary_cross_entropy_with_logits", [spread(shape, -5, 5), truth], learned=1))
    for shape, labels in [
        ((4, 3), [0, 2, 2, 1]), ((4, 3), np.array([0, 2, 2, 1], dtype=np.uint8)), ((1, 1), [0]), ((3,), 2),
        ((2, 3, 4), np.array([[0, 3, 1], [2, 2, 0]])),
    ]:  # fmt: skip
        all_cases.append(Case("cross_entropy", [spread(shape)], (labels,)))
    return all_cases


CASES = cases()
each_operation = pytest.mark.parametrize("name", sorted(OPERATIONS))


def cases_of(name: str) -> list[Case]:
    return [case for case in CASES if case.name == name]


@contextmanager
def naming(case: Case) -> Iterator[None]:
    """Say which case it was that failed."""
    try:
        yield
    except (ArithmeticError, AssertionError, LookupError, RuntimeError, TypeError, ValueError) as error:
        error.add_note(f"in the case {case}")
        raise


def differentiable(operation: Any) -> list[int]:
    """The places of the inputs that must have a rule."""
    if operation.takes == 0:
        return [VARIADIC]
    names = operation.names[: operation.takes]
    return [i for i, name in enumerate(names) if name not in OPTIONS and (operation.__name__, name) not in TARGETS]


class TestEveryOperationHasItsRules:
    def test_the_package_was_searched(self):
        assert {"add", "matmul", "concatenate", "relu", "gelu", "linear", "cross_entropy"} <= OPERATIONS.keys()

    @pytest.mark.parametrize("name", sorted(OPERATIONS))
    def test_each_differentiable_input_has_a_rule(self, name):
        operation = OPERATIONS[name]
        assert set(differentiable(operation)) == set(vars(operation).get("rules", {}))

    def test_each_rule_is_measured_by_a_case(self):
        measured = {(case.name, place) for case in CASES for place in range(case.count)}
        measured |= {(name, VARIADIC) for name, _ in measured if OPERATIONS[name].takes == 0}
        wanted = {(name, place) for name, operation in OPERATIONS.items() for place in differentiable(operation)}
        assert wanted <= measured

    def test_a_new_operation_without_rules_would_be_noticed(self):
        @op
        def cube(x, axis=None):
            return x * x * x

        assert differentiable(cube) == [0]
        out = cube(Tensor(2.0, requires_grad=True))
        assert out.item() == 8
        with pytest.raises(NotImplementedError, match=r"cube has no derivative rule for this input.*@derivative"):
            out.backward()

    @pytest.mark.parametrize("name", [name for name, _ in sorted(TARGETS)])
    def test_a_target_that_wants_a_gradient_is_refused_by_name(self, name):
        target = Tensor([1.0], requires_grad=True)
        scores = Tensor([[0.5, 0.2]]) if name == "cross_entropy" else Tensor([0.5])
        with pytest.raises(NotImplementedError, match=f"{name} has no derivative rule"):
            OPERATIONS[name](scores, target).backward()


class TestAgainstMeasuredSlopes:
    @each_operation
    def test_rules_in_float64(self, name):
        for case in cases_of(name):
            with naming(case):
                for position in range(case.count):
                    got, expected = case.rule_in_float64(position), case.slopes(position)
                    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)

    @each_operation
    def test_recorded_gradients(self, name):
        for case in cases_of(name):
            with naming(case):
                inputs, out = case.recorded()
                out.backward(case.weights())
                for position, x in enumerate(inputs):
                    if position < case.count:
                        np.testing.assert_allclose(x.grad, case.slopes(position), rtol=1e-3, atol=1e-3)
                    else:
                        assert x.grad is None

    @each_operation
    def test_everything_is_float32_and_has_its_shape(self, name):
        for case in cases_of(name):
            with naming(case):
                inputs, out = case.recorded()
                assert out.requires_grad
                assert type(out._data) is np.ndarray
                assert out.data.dtype == np.float32
                seed = case.weights().astype(np.float32)
                out.backward(seed)
                for x in inputs[: case.count]:
                    assert type(x.grad) is np.ndarray
                    assert x.grad.dtype == np.float32
                    assert x.grad.shape == x.shape
                    assert x.grad.flags.writeable
                    others = [y.grad for y in inputs[: case.count] if y is not x]
                    others += [seed, out._data, *(y._data for y in inputs)]
                    assert not any(np.shares_memory(x.grad, other) for other in others)
                    assert x.grad.base is None or x.grad.base.size == x.grad.size  # its own memory, all of it

    @each_operation
    def test_each_input_alone(self, name):
        """What needs no gradient gets none, and does not change the others'."""
        for case in cases_of(name):
            with naming(case):
                whole, out = case.recorded()
                out.backward(case.weights())
                for position in range(case.count):
                    inputs = [Tensor(x, requires_grad=i == position) for i, x in enumerate(case.arrays)]
                    case.operation(*inputs, *case.extras, **case.options).backward(case.weights())
                    for place, x in enumerate(inputs):
                        if place == position:
                            np.testing.assert_array_equal(x.grad, whole[place].grad)
                        else:
                            assert x.grad is None


class TestDtypes:
    @pytest.mark.parametrize(
        "other",
        [2, 0.5, True, np.float64(2), np.int64(3), np.arange(1.0, 4.0), np.arange(1, 4), [1, 2, 3], (0.5, 1, 2)],
        ids=repr,
    )
    def test_foreign_numbers_leave_float32(self, other):
        value = np.asarray(other, dtype=np.float64)
        for function, expected in [
            (lambda x: x * other, np.ones(3) * value),
            (lambda x: other * x, np.ones(3) * value),
            (lambda x: x / other, np.ones(3) / value),
            (lambda x: x - other, np.ones(3)),
            (lambda x: other - x, -np.ones(3)),
        ]:
            x = Tensor([1.0, 2.0, 4.0], requires_grad=True)
            out = function(x)
            out.backward(np.ones(3))
            assert (out.data.dtype, x.grad.dtype) == (np.float32, np.float32)
            np.testing.assert_allclose(x.grad, expected, rtol=1e-6)

    @pytest.mark.parametrize("seed", [[1, 2], np.array([1.0, 2.0]), Tensor([1, 2])], ids=["list", "float64", "Tensor"])
    def test_any_starting_gradient_becomes_float32(self, seed):
        x = Tensor([3.0, 4.0], requires_grad=True)
        (x * x).backward(seed)
        assert x.grad.dtype == np.float32
        np.testing.assert_array_equal(x.grad, [6, 16])

    def test_a_rule_that_answers_in_float64_is_brought_back(self):
        @op
        def twice(x):
            return x + x

        @autograd.derivative(twice, "x")
        def twice_x(g):
            return g.astype(np.float64) * 2

        x = Tensor([1.0], requires_grad=True)
        twice(x.exp()).backward()
        assert x.grad.dtype == np.float32
        np.testing.assert_allclose(x.grad, [2 * math.e], rtol=1e-6)


class TestProperties:
    @repeatable
    @given(
        hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, min_side=0, max_side=4), st.integers(0, 2**32 - 1)
    )
    def test_broadcasting_is_undone(self, shapes, seed):
        rng = np.random.default_rng(seed)
        a, b = (rng.uniform(0.5, 2, size=shape) for shape in shapes.input_shapes)
        g = rng.normal(size=shapes.result_shape)
        for function, partials in [
            (lambda a, b: a + b, (g, g)),
            (lambda a, b: a - b, (g, -g)),
            (lambda a, b: a * b, (g * b, g * a)),
            (lambda a, b: a / b, (g / b, -g * a / b**2)),
        ]:
            x, y = Tensor(a, requires_grad=True), Tensor(b, requires_grad=True)
            function(x, y).backward(g)
            for tensor, partial in zip((x, y), partials, strict=True):
                assert tensor.grad.shape == tensor.shape
                np.testing.assert_allclose(tensor.grad, sum_to(partial, tensor.shape), rtol=1e-3, atol=1e-3)

    @repeatable
    @given(
        hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, min_side=0, max_side=4), st.integers(0, 2**32 - 1)
    )
    def test_unbroadcast_is_the_adjoint_of_broadcasting(self, shapes, seed):
        """<g, stretch(x)> = <unbroadcast(g), x> for every g and x."""
        rng = np.random.default_rng(seed)
        x, g = rng.normal(size=shapes.input_shapes[0]), rng.normal(size=shapes.result_shape)
        folded = unbroadcast(g, x.shape)
        assert folded.shape == x.shape
        np.testing.assert_allclose((g * np.broadcast_to(x, g.shape)).sum(), (folded * x).sum(), atol=1e-9)

    @repeatable
    @given(hnp.array_shapes(max_dims=4, max_side=4), st.data())
    def test_reductions_over_any_axes(self, shape, data):
        axes = data.draw(st.none() | st.integers(-len(shape), len(shape) - 1) | st.sets(st.integers(0, len(shape) - 1)))
        axis = (tuple(axes) or None) if isinstance(axes, set) else axes
        keepdims = data.draw(st.booleans())
        x = spread(shape)
        g = spread(x.sum(axis=axis, keepdims=keepdims).shape, seed=1)
        wide = g if keepdims else g.reshape(x.sum(axis=axis, keepdims=True).shape)
        count = x.size / wide.size
        for name, expected in [
            ("sum", np.broadcast_to(wide, shape)),
            ("mean", np.broadcast_to(wide, shape) / count),
            ("max", wide * (x == x.max(axis=axis, keepdims=True))),
            ("min", wide * (x == x.min(axis=axis, keepdims=True))),
            ("var", wide * 2 * (x - x.mean(axis=axis, keepdims=True)) / count),
        ]:
            tensor = Tensor(x, requires_grad=True)
            getattr(tensor, name)(axis=axis, keepdims=keepdims).backward(g)
            np.testing.assert_allclose(tensor.grad, expected, rtol=1e-4, atol=1e-4)

    @repeatable
    @given(hnp.array_shapes(min_dims=1, max_dims=3, max_side=4), st.data())
    def test_indexing_spreads_and_adds_up(self, shape, data):
        key = data.draw(hnp.basic_indices(shape, allow_newaxis=True) | hnp.integer_array_indices(shape))
        x = Tensor(np.zeros(shape), requires_grad=True)
        out = x[key]
        g = spread(out.shape)
        out.backward(g)
        expected = np.zeros(shape)
        np.add.at(expected, key, g)
        np.testing.assert_allclose(x.grad, expected, rtol=1e-5, atol=1e-6)

    @repeatable
    @given(st.permutations(range(4)), st.lists(st.booleans(), min_size=4, max_size=4))
    def test_permutations_are_inverted(self, axes, negative):
        axes = tuple(axis - 4 if flag else axis for axis, flag in zip(axes, negative, strict=True))
        x = Tensor(np.zeros((2, 3, 2, 3)), requires_grad=True)
        out = x.permute(axes)
        g = spread(out.shape)
        out.backward(g)
        back = np.argsort(np.mod(axes, 4))
        np.testing.assert_array_equal(x.grad, g.transpose(back).astype(np.float32))


def sum_to(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Add every element to the place that it was stretched from, one by one."""
    total = np.zeros(shape)
    for place in np.ndindex(array.shape):
        own = place[array.ndim - len(shape) :]
        total[tuple(0 if n == 1 else i for i, n in zip(own, shape, strict=True))] += array[place]
    return total


class TestKinksAndExtremes:
    def test_relu_is_flat_at_0_and_below(self):
        x = Tensor([-1.0, 0.0, 1e-30, 5.0], requires_grad=True)
        OPERATIONS["relu"](x).sum().backward()
        assert x.grad.tolist() == [0, 0, 1, 1]

    def test_winners_share_a_maximum(self):
        x = Tensor([[1.0, 5.0, 5.0], [2.0, 2.0, 2.0]], requires_grad=True)
        x.max(axis=1).backward([6, 3])
        np.testing.assert_array_equal(x.grad, [[0, 3, 3], [1, 1, 1]])

    def test_absolute_is_flat_at_0(self):
        x = Tensor([-2.0, 0.0, 2.0], requires_grad=True)
        x.abs().sum().backward()
        assert x.grad.tolist() == [-1, 0, 1]

    def test_clip_passes_its_bounds(self):
        x = Tensor([-1.0, -2.0, 1.0, 2.0, 0.0], requires_grad=True)
        x.clip(-1, 1).sum().backward()
        assert x.grad.tolist() == [1, 0, 1, 0, 1]

    @pytest.mark.filterwarnings("error")
    def test_powers_at_0(self):
        for exponent, slope in [(0, 0), (1, 1), (2, 0), (3, 0), (4, 0), (1.5, 0)]:
            x = Tensor([0.0], requires_grad=True)
            (x**exponent).backward()
            assert x.grad.tolist() == [slope]

    @pytest.mark.filterwarnings("error")
    def test_softmax_and_its_losses_stay_finite_at_extremes(self):
        for scores in ([1e4, 0.0, -1e4], [-1e30, 0.0, 1e30], [88.8, 88.8, -103.9]):
            for name in ("softmax", "log_softmax"):
                x = Tensor([scores], requires_grad=True)
                OPERATIONS[name](x).backward([[1.0, 2.0, 3.0]])
                assert np.isfinite(x.grad).all()
                assert abs(float(x.grad.astype(np.float64).sum())) < 1e-5  # a shift of all scores changes nothing
            x = Tensor([scores], requires_grad=True)
            OPERATIONS["cross_entropy"](x, [1]).backward()
            exponentials = np.exp(np.float64(scores) - max(scores))
            np.testing.assert_allclose(x.grad, [exponentials / exponentials.sum() - [0, 1, 0]], rtol=1e-5, atol=1e-7)

    @pytest.mark.filterwarnings("error")
    def test_binary_losses_stay_finite_at_extremes(self):
        x = Tensor([-1e4, 1e4, -1e4, 1e4], requires_grad=True)
        OPERATIONS["binary_cross_entropy_with_logits"](x, [0, 1, 1, 0]).backward()
        np.testing.assert_allclose(x.grad, [0, 0, -0.25, 0.25], atol=1e-30)
        p = Tensor([0.0, 1.0], requires_grad=True)
        OPERATIONS["binary_cross_entropy"](p, [0, 1]).backward()
        np.testing.assert_array_equal(p.grad, [0, 0])

    @pytest.mark.filterwarnings("error")
    def test_sigmoid_and_tanh_saturate_quietly(self):
        for name in ("sigmoid", "tanh", "gelu"):
            x = Tensor([-50.0, 50.0], requires_grad=True)
            OPERATIONS[name](x).sum().backward()
            np.testing.assert_allclose(x.grad, [0, 1 if name == "gelu" else 0], atol=1e-6)


class TestComposedOperations:
    @pytest.mark.parametrize(
        "function",
        [
            lambda x: (x - x.mean(axis=-1, keepdims=True)) / (x.var(axis=-1, keepdims=True) + 1e-5).sqrt(),
            lambda x: x.min(axis=0) - (-x).max(axis=0) * 2,
            lambda x: x.T @ x,
            lambda x: x.transpose(0, 1).unsqueeze(1).squeeze(1).flatten(),
            lambda x: cat([x, x * 2, x], axis=-1)[1:, ::2],
            lambda x: stack([x, x.exp(), x * x], axis=1),
            lambda x: 2**x - x**2 + 1 / (x * x + 1),
            lambda x: cat(list(x), axis=0).reshape(2, 3).expand(4, 2, 3),
            lambda x: (x / (x * x).sum(axis=(0, 1)).sqrt()).abs(),
        ],
        ids=["layer norm", "min", "Gram", "axes", "cat", "stack", "numbers", "iterate", "normalise"],
    )
    def test_gradient_check_agrees(self, function):
        gradient_check(function, spread((2, 3)))

    def test_gradient_check_notices_a_wrong_rule(self):
        @op
        def shifted(x):
            return x * x

        @autograd.derivative(shifted, "x")
        def shifted_x(g, x):
            return g * x

        with pytest.raises(AssertionError, match=r"input 1, element \(2,\): backward gives 2\..*measured slope is 4\."):
            gradient_check(lambda a, b: a.sum() + (b * [1, 1, 0]).sum() * 0 + shifted(b[2:]), [1.0], [0.0, 0.0, 2.0])

    def test_numerical_gradient_leaves_its_input_alone(self):
        x = spread((2, 3))
        before = x.copy()
        np.testing.assert_allclose(numerical_gradient(lambda v: float((v**3).sum()), x), 3 * before**2, rtol=1e-6)
        np.testing.assert_array_equal(x, before)

    def test_a_rule_of_the_wrong_shape_is_named(self):
        @op
        def odd(x):
            return x + 0

        @autograd.derivative(odd, "x")
        def odd_x(g):
            return g[:1]

        with pytest.raises((ShapeError, IndexError), match=r"\(1,\)|axis|out of range"):
            odd(Tensor([1.0, 2.0], requires_grad=True)).sum().backward()


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def torch_functions(torch: Any) -> dict:
    """PyTorch's counterpart of every operation; reductions over axis=() need the axes spelled out."""
    F = torch.nn.functional

    def reduction(name: str) -> Any:
        def reduce(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
            axes = tuple(range(x.ndim)) if axis is None else (axis,) if isinstance(axis, int) else axis
            if axes == ():
                return x * 0 if name == "var" else x * 1
            if name == "var":
                return ((x - x.mean(axes, keepdim=True)) ** 2).mean(axes, keepdim=keepdims)
            return getattr(torch, name)(x, axes, keepdim=keepdims)

        return reduce

    def index(x: Any, key: Any) -> Any:
        parts = key if isinstance(key, tuple) else (key,)
        if any(isinstance(part, slice) and (part.step or 1) < 0 for part in parts):
            return x.flip(0)  # PyTorch cannot index backwards; the only such case is x[::-1]
        if not any(isinstance(part, list | tuple | np.ndarray) for part in parts):
            return x[key]
        parts = [
            [part] if isinstance(part, int) else part for part in parts
        ]  # beside arrays NumPy counts a number as one
        kinds = (list, tuple, np.ndarray)
        return x[tuple(torch.tensor(np.asarray(part)) if isinstance(part, kinds) else part for part in parts)]

    def soft(name: str) -> Any:
        return lambda x, axis=-1: getattr(torch, name)(x, axis)

    return {
        "add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "power": torch.pow,
        "matmul": torch.matmul, "neg": torch.neg, "exp": torch.exp, "log": torch.log, "sqrt": torch.sqrt,
        "absolute": torch.abs,
        "clip": lambda x, low, high: x * 1 if low is None and high is None else torch.clip(x, low, high),
        "reduce_sum": reduction("sum"), "reduce_mean": reduction("mean"), "reduce_max": reduction("amax"),
        "reduce_var": reduction("var"), "reshape": torch.reshape, "permute": torch.permute,
        "expand": lambda x, shape: x.expand(shape), "index": index,
        "concatenate": lambda *blocks, axis: torch.cat(blocks, axis),
        "relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh,
        "gelu": lambda x: F.gelu(x, approximate="tanh"), "maximum": torch.maximum,
        "choose": lambda a, b, condition: torch.where(torch.tensor(condition), a, b),
        "euclidean_norm": lambda x, axis, keepdims: torch.linalg.vector_norm(x, 2, axis, keepdims),
        "softmax": soft("softmax"), "log_softmax": soft("log_softmax"), "linear": F.linear, "mse_loss": F.mse_loss,
        "binary_cross_entropy": F.binary_cross_entropy,
        "binary_cross_entropy_with_logits": F.binary_cross_entropy_with_logits,
        "cross_entropy": lambda x, labels: F.cross_entropy(
            x.reshape(-1, x.shape[-1]), torch.tensor(np.asarray(labels).astype(np.int64)).reshape(-1)
        ),
    }  # fmt: skip


class TestAgainstPyTorch:
    def test_every_operation_has_a_counterpart(self, torch):
        assert torch_functions(torch).keys() == OPERATIONS.keys()

    @each_operation
    def test_gradients(self, torch, name):
        for case in cases_of(name):
            with naming(case):
                inputs, out = case.recorded()
                out.backward(case.weights())
                theirs = [torch.tensor(x, requires_grad=i < case.count) for i, x in enumerate(case.arrays)]
                result = torch_functions(torch)[case.name](*theirs, *case.extras, **case.options)
                np.testing.assert_allclose(out.data, result.detach().numpy(), rtol=1e-5, atol=1e-5)
                result.backward(torch.tensor(case.weights()))
                for x, other in list(zip(inputs, theirs, strict=True))[: case.count]:
                    np.testing.assert_allclose(x.grad, other.grad.numpy(), rtol=1e-4, atol=1e-5)

    def test_shared_maxima(self, torch):
        x = np.array([[3.0, 3.0, 1.0], [2.0, 2.0, 2.0]])
        ours, theirs = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
        ours.max(axis=1).sum().backward()
        torch.amax(theirs, 1).sum().backward()
        np.testing.assert_allclose(ours.grad, theirs.grad.numpy(), rtol=1e-6)

    @repeatable
    @given(st.integers(0, 2**32 - 1))
    def test_random_expressions(self, torch, seed):
        rng = np.random.default_rng(seed)
        shapes = [(2, 3), (3,), (1, 3), (2, 1), ()]
        values = [rng.uniform(-1.5, 1.5, size=shape) for shape in shapes]
        ours = [Tensor(x, requires_grad=True) for x in values]
        theirs = [torch.tensor(x.astype(np.float32).astype(np.float64), requires_grad=True) for x in values]
        leaves = list(zip(ours, theirs, strict=True))
        pool = list(leaves)
        functions = torch_functions(torch)
        for _ in range(12):
            pool.append(random_step(rng, pool, functions))
        loss = sum(((x * x).mean() for x, _ in pool[-6:]), start=Tensor(0.0))
        other = sum((x * x).mean() for _, x in pool[-6:])
        np.testing.assert_allclose(loss.item(), other.item(), rtol=1e-4, atol=1e-5)
        if not loss.requires_grad:
            return
        loss.backward()
        other.backward()
        for mine, their in leaves:
            if their.grad is None:
                assert mine.grad is None
            else:
                np.testing.assert_allclose(mine.grad, their.grad.numpy(), rtol=2e-3, atol=2e-4)


def random_step(rng: np.random.Generator, pool: list, functions: dict) -> tuple:
    """One random operation in both libraries on the pool; smooth ones, so that float32 stays near float64."""
    x, other_x = pool[rng.integers(len(pool))]
    y, other_y = pool[rng.integers(len(pool))]
    kind = rng.integers(7)
    if kind == 0:
        name = str(rng.choice(["add", "sub", "mul"]))
        return OPERATIONS[name](x, y), functions[name](other_x, other_y)
    if kind == 1:
        return x / (y * y + 1), other_x / (other_y * other_y + 1)
    if kind == 2:
        name = str(rng.choice(["sigmoid", "tanh", "neg", "gelu"]))
        return OPERATIONS[name](x), functions[name](other_x)
    if kind == 3 and x.ndim:
        name, axis = str(rng.choice(["reduce_sum", "reduce_mean", "reduce_var"])), int(rng.integers(-x.ndim, x.ndim))
        return OPERATIONS[name](x, axis, True), functions[name](other_x, axis, True)
    if kind == 4 and x.ndim:
        axis = int(rng.integers(-x.ndim, x.ndim))
        return OPERATIONS["softmax"](x, axis), functions["softmax"](other_x, axis)
    if kind == 5 and x.ndim and x.shape[-1] == 3:
        flat, other = x.reshape(-1, 3), other_x.reshape(-1, 3)
        cubes, other_cubes = flat @ (flat.T @ flat), other @ (other.T @ other)
        return OPERATIONS["tanh"](cubes).mean(axis=0), functions["tanh"](other_cubes).mean(0)
    return (x * x + 1).sqrt().log(), (other_x * other_x + 1).sqrt().log()
