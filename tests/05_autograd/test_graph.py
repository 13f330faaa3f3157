"""The graph and the walk over it: what is recorded, what adds up, what is refused and in which words."""

import numpy as np
import pytest

from tinytorch.core import autograd
from tinytorch.core import tensor as tensors
from tinytorch.core.activations import relu, softmax
from tinytorch.core.autograd import Function, Node, Recorder, enable_autograd, topological_order
from tinytorch.core.layers import Linear, Module, Parameter, dropout, linear
from tinytorch.core.losses import cross_entropy, mse_loss
from tinytorch.core.tensor import ShapeError, Tensor, cat, manual_seed, set_engine, stack

ROUTES = {
    "+": lambda x: x + 1,
    "reflected +": lambda x: 1 + x,
    "-": lambda x: x - 1,
    "reflected -": lambda x: 1 - x,
    "*": lambda x: x * 2,
    "reflected *": lambda x: 2 * x,
    "/": lambda x: x / 2,
    "reflected /": lambda x: 2 / x,
    "**": lambda x: x**2,
    "reflected **": lambda x: 2**x,
    "@": lambda x: x @ x,
    "reflected @": lambda x: np.eye(2, dtype=np.float32) @ x,
    "unary -": lambda x: -x,
    "abs": abs,
    "exp": lambda x: x.exp(),
    "log": lambda x: x.log(),
    "sqrt": lambda x: x.sqrt(),
    "clip": lambda x: x.clip(0, 3),
    "sum": lambda x: x.sum(),
    "mean": lambda x: x.mean(axis=0),
    "var": lambda x: x.var(axis=1, keepdims=True),
    "max": lambda x: x.max(),
    "min": lambda x: x.min(axis=-1),
    "reshape": lambda x: x.reshape(4),
    "flatten": lambda x: x.flatten(),
    "transpose": lambda x: x.transpose(),
    "T": lambda x: x.T,
    "permute": lambda x: x.permute(1, 0),
    "squeeze": lambda x: x.squeeze(),
    "unsqueeze": lambda x: x.unsqueeze(0),
    "expand": lambda x: x.expand(3, 2, 2),
    "index": lambda x: x[0],
    "iterate": lambda x: next(iter(x)),
    "cat": lambda x: cat([x, Tensor([[1.0, 1.0]])]),
    "stack": lambda x: stack([Tensor(np.ones((2, 2))), x]),
    "array * Tensor": lambda x: np.ones((2, 2)) * x,
    "relu": relu,
    "softmax": softmax,
    "dropout": dropout,
    "linear": lambda x: linear(x, Tensor(np.eye(2))),
    "cross_entropy": lambda x: cross_entropy(x, [0, 1]),
    "mse_loss": lambda x: mse_loss(x, np.zeros((2, 2))),
}


def two_by_two(requires_grad: bool = True) -> Tensor:
    return Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad)


class TestRecording:
    @pytest.mark.parametrize("route", ROUTES)
    def test_a_result_of_a_tracked_input_is_tracked(self, route):
        x = two_by_two()
        out = ROUTES[route](x)
        assert out.requires_grad
        assert isinstance(out._grad_fn, Node)
        assert out.grad is None
        assert x._grad_fn is None

    @pytest.mark.parametrize("route", ROUTES)
    def test_a_result_of_plain_inputs_is_plain(self, route):
        out = ROUTES[route](two_by_two(requires_grad=False))
        assert not out.requires_grad
        assert out._grad_fn is None

    @pytest.mark.parametrize("route", ROUTES)
    def test_recording_does_not_change_the_numbers(self, route):
        manual_seed(0)
        plain = ROUTES[route](two_by_two(requires_grad=False))
        manual_seed(0)
        np.testing.assert_array_equal(ROUTES[route](two_by_two()).data, plain.data)

    @pytest.mark.parametrize("route", [lambda x: x.detach(), lambda x: Tensor(x), lambda x: Tensor(x * 2)])
    def test_copies_and_detached_tensors_are_leaves(self, route):
        out = route(two_by_two())
        assert not out.requires_grad
        assert out._grad_fn is None

    def test_a_node_names_its_operation(self):
        x = two_by_two()
        assert repr((x * x).sum()._grad_fn) == "<reduce_sum>"
        assert [node.name for node in topological_order((x.exp() @ x).sum()._grad_fn)] == [
            "reduce_sum",
            "matmul",
            "exp",
        ]

    def test_no_edge_leads_to_what_needs_no_gradient(self):
        x, w = two_by_two(requires_grad=False), two_by_two()
        edges = (x * w)._grad_fn.edges
        assert [edge[0] for edge in edges] == [w]

    def test_only_what_a_rule_asks_for_is_kept(self):
        x, y = two_by_two(), two_by_two()
        assert [edge[3] for edge in (x + y)._grad_fn.edges] == [(), ()]
        (to_x, to_y) = (x * y)._grad_fn.edges
        assert to_x[3][0] is y._data
        assert to_y[3][0] is x._data

    def test_the_switch(self):
        x = two_by_two()
        set_engine(None)
        try:
            assert (x * 2)._grad_fn is None
        finally:
            enable_autograd()
        assert (x * 2)._grad_fn is not None

    def test_switching_on_twice_changes_nothing(self):
        methods = dict(vars(Tensor))
        enable_autograd()
        enable_autograd()
        x = two_by_two()
        assert vars(Tensor) == methods
        assert len(topological_order((x * 2)._grad_fn)) == 1
        assert tensors._engine is autograd.engine

    def test_the_plain_recorder_alone_records_and_walks(self, monkeypatch):
        """What students have before the guards: the same gradients, without frozen inputs."""
        w, x, b = Tensor(2.0, requires_grad=True), Tensor(3.0), Tensor(-4.0, requires_grad=True)
        monkeypatch.setattr(tensors, "_engine", Recorder())
        s = w * x + b
        x.data[...] += 0.0  # nobody forbids it yet
        (s * s).backward()
        assert (float(w.grad), float(b.grad), x.grad) == (12.0, 4.0, None)


class TestBackward:
    @pytest.mark.parametrize("data", [2.0, [2.0], [[2.0]], [[[2.0]]]])
    def test_one_element_starts_by_itself(self, data):
        x = Tensor(data, requires_grad=True)
        (x * x).backward()
        np.testing.assert_array_equal(x.grad, np.full(x.shape, 4, dtype=np.float32))

    def test_several_elements_start_from_a_gradient(self):
        x = Tensor([1.0, 2.0], requires_grad=True)
        (x * x).backward([10, 100])
        assert x.grad.tolist() == [20, 400]

    def test_only_leaves_get_a_gradient(self):
        x, plain = Tensor([2.0], requires_grad=True), Tensor([5.0])
        middle = x * plain
        loss = middle * middle
        loss.backward()
        assert x.grad.tolist() == [100]
        assert (middle.grad, loss.grad, plain.grad) == (None, None, None)

    def test_a_leaf_may_be_the_start(self):
        x = Tensor([1.0, 2.0], requires_grad=True)
        x.backward([3, 4])
        x.backward([1, 1])
        assert x.grad.tolist() == [4, 5]

    def test_two_passes_add_up_and_zero_grad_forgets(self):
        x = Tensor([3.0], requires_grad=True)
        (x * 2).backward()
        (x * x).backward()
        assert x.grad.tolist() == [8]
        x.zero_grad()
        assert x.grad is None
        (x * 4).backward()
        assert x.grad.tolist() == [4]

    def test_adding_up_leaves_an_older_gradient_array_alone(self):
        x = Tensor([3.0], requires_grad=True)
        (x * 2).backward()
        first = x.grad
        (x * 5).backward()
        assert (first.tolist(), x.grad.tolist()) == ([2], [7])

    def test_two_losses_at_once_equal_two_passes(self):
        separate, together = two_by_two(), two_by_two()
        separate.exp().sum().backward()
        (separate * separate).sum().backward()
        (together.exp().sum() + (together * together).sum()).backward()
        np.testing.assert_allclose(together.grad, separate.grad, rtol=1e-6)

    def test_every_path_counts(self):
        x = Tensor(3.0, requires_grad=True)
        a = x * 2
        b = a * x  # 2 x^2
        ((a + b) * b + a).backward()  # 4 x^3 + 4 x^4 + 2 x
        assert float(x.grad) == 12 * 9 + 16 * 27 + 2

    def test_one_tensor_on_both_sides(self):
        x = Tensor([3.0], requires_grad=True)
        for function, slope in [
            (lambda x: x + x, 2),
            (lambda x: x - x, 0),
            (lambda x: x * x, 6),
            (lambda x: x / x, 0),
            (lambda x: cat([x, x, x]).sum(), 3),
        ]:
            x.zero_grad()
            function(x).backward()
            np.testing.assert_allclose(x.grad, [slope], atol=1e-6)
        m = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
        (m @ m).sum().backward()
        np.testing.assert_array_equal(m.grad, [[7, 11], [9, 13]])

    def test_a_weight_used_twice(self):
        weight = Parameter([[2.0]])
        linear(linear(Tensor([[3.0]]), weight), weight).backward()
        assert weight.grad.tolist() == [[12]]

    def test_a_place_picked_twice(self):
        table = Tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], requires_grad=True)
        (table[[2, 0, 2]] * Tensor([[1.0], [10.0], [100.0]])).sum().backward()
        np.testing.assert_array_equal(table.grad, [[10, 10], [0, 0], [101, 101]])

    def test_an_unused_input_gets_nothing(self):
        x, unused = Tensor([1.0], requires_grad=True), Tensor([1.0], requires_grad=True)
        _ = unused * 2
        (x * 2).backward()
        assert unused.grad is None

    def test_detach_stops_the_gradient(self):
        x = Tensor([3.0], requires_grad=True)
        (x * (x * 2).detach()).backward()
        assert x.grad.tolist() == [6]

    def test_parts_of_a_graph_one_after_the_other(self):
        x = Tensor([3.0], requires_grad=True)
        (x * 2).backward()
        y = x.detach()
        y.requires_grad = True
        (y * y).backward()
        assert (x.grad.tolist(), y.grad.tolist()) == ([2], [6])

    def test_an_empty_batch_gives_zeros(self):
        w = Tensor(np.ones((2, 3)), requires_grad=True)
        linear(Tensor(np.zeros((0, 3))), w).sum().backward()
        np.testing.assert_array_equal(w.grad, np.zeros((2, 3)))

    def test_order_is_by_creation_not_by_discovery(self):
        x = Tensor(2.0, requires_grad=True)
        e = x.exp()
        for function in (lambda: e + e * 3, lambda: e * 3 + e, lambda: (e * e) * e + e):
            nodes = topological_order(function()._grad_fn)
            place = {id(node): i for i, node in enumerate(nodes)}
            assert len(place) == len(nodes)
            for node in nodes:
                assert all(place[id(target)] > place[id(node)] for target in node.targets())


class TestGradientsAreNotShared:
    def test_a_number_used_twice_gets_an_array(self):
        x = Tensor(3.0, requires_grad=True)
        (x * x + x).backward()
        assert type(x.grad) is np.ndarray
        assert x.grad.shape == ()
        assert x.grad.dtype == np.float32
        assert x.grad == 7

    def test_two_leaves_of_one_sum(self):
        a, b = Tensor([1.0, 2.0], requires_grad=True), Tensor([3.0, 4.0], requires_grad=True)
        seed = np.array([5.0, 6.0], dtype=np.float32)
        (a + b).backward(seed)
        a.grad[0] = 99
        assert b.grad.tolist() == [5, 6]
        assert seed.tolist() == [5, 6]

    @pytest.mark.parametrize(
        "function",
        [
            lambda x: x,
            lambda x: x.reshape(4),
            lambda x: x.T,
            lambda x: x[::-1],
            lambda x: x.reshape(1, 4).T.reshape(2, 2),
            lambda x: x.T + x,
            lambda x: (x.T + 0).reshape(4).reshape(2, 2).T,
            lambda x: cat([x]),
            lambda x: x.expand(2, 2),
        ],
    )
    def test_views_of_the_seed(self, function):
        x, y = two_by_two(), two_by_two()
        out = function(x) + function(y) if function(x) is not x else x + y
        seed = np.ones(out.shape, dtype=np.float32)
        out.backward(seed)
        before = y.grad.copy()
        x.grad[...] = 99
        np.testing.assert_array_equal(y.grad, before)
        np.testing.assert_array_equal(seed, np.ones(out.shape))

    def test_the_seed_of_a_leaf(self):
        x, seed = Tensor([1.0], requires_grad=True), np.array([2.0], dtype=np.float32)
        x.backward(seed)
        seed[0] = 99
        assert x.grad.tolist() == [2]

    def test_a_gradient_is_no_view_of_a_sum(self):
        x = two_by_two()
        x.sum().backward()
        x.grad[0, 0] = 99
        np.testing.assert_array_equal(x.grad, [[99, 1], [1, 1]])

    def test_a_gradient_may_be_scaled_in_place_between_two_passes(self):
        a, b = two_by_two(), two_by_two()
        for _ in range(2):
            (a + b).sum().backward()
            a.grad *= 0.5
        np.testing.assert_array_equal(a.grad, np.full((2, 2), 0.75))
        np.testing.assert_array_equal(b.grad, np.full((2, 2), 2))


class TestRefusals:
    def test_a_second_time(self):
        x = Tensor([2.0], requires_grad=True)
        loss = (x * x).sum()
        loss.backward()
        with pytest.raises(
            RuntimeError, match=r"<reduce_sum> a second time.*freed.*Add the losses up.*compute the result again"
        ):
            loss.backward()
        assert x.grad.tolist() == [4]

    def test_through_a_part_that_is_used_up(self):
        x = Tensor([2.0], requires_grad=True)
        shared = x * 2
        (shared * 3).backward()
        with pytest.raises(RuntimeError, match="<mul> a second time"):
            (shared * 5 + x).backward()
        assert x.grad.tolist() == [6]

    @pytest.mark.parametrize("shape", [(2,), (2, 3), (0,), (1, 2, 1)])
    def test_more_or_less_than_one_number(self, shape):
        x = Tensor(np.ones(shape), requires_grad=True)
        with pytest.raises(RuntimeError) as raised:
            (x * 2).backward()
        for word in ("one number", f"shape {shape}", ".mean()", ".sum()", "gradient of that shape"):
            assert word in str(raised.value)
        assert x.grad is None

    @pytest.mark.parametrize("grad", [[1.0], [1.0, 2.0, 3.0], [[1.0, 2.0]], 1.0], ids=str)
    def test_a_gradient_of_another_shape(self, grad):
        x = Tensor([1.0, 2.0], requires_grad=True)
        out = x * 2
        with pytest.raises(ShapeError) as raised:
            out.backward(grad)
        assert str(np.shape(grad)) in str(raised.value)
        assert "(2,)" in str(raised.value)
        out.backward([1, 1])  # nothing was used up
        assert x.grad.tolist() == [2, 2]

    @pytest.mark.parametrize(
        "make", [lambda: Tensor(1.0), lambda: Tensor(1.0) * 2, lambda: two_by_two().sum().detach()]
    )
    def test_without_a_graph(self, make):
        with pytest.raises(RuntimeError, match=r"requires_grad=True.*no_grad\(\)"):
            make().backward()

    def test_a_derivative_of_an_unknown_parameter(self):
        with pytest.raises(KeyError, match="nonsense"):

            @autograd.derivative(tensors.add, "a")
            def wrong(g, nonsense):
                return g

        x = Tensor([1.0], requires_grad=True)
        (x + 1).backward()
        assert x.grad.tolist() == [1]


class Scale(Function):
    """Two inputs: x and a factor that is learnt too."""

    asked: tuple = ()

    @staticmethod
    def forward(ctx, x, factor, *, power=1):
        ctx.x, ctx.factor = x, factor
        Scale.asked = ctx.needs_input_grad
        return x * factor

    @staticmethod
    def backward(ctx, g):
        return g * ctx.factor, (g * ctx.x).sum(axis=0) if ctx.needs_input_grad[1] else None


class TestFunction:
    def test_gradients_of_both_inputs(self):
        x, factor = two_by_two(), Tensor([10.0, 100.0], requires_grad=True)
        Scale.apply(x, factor, power=2).sum().backward()
        np.testing.assert_array_equal(x.grad, [[10, 100], [10, 100]])
        np.testing.assert_array_equal(factor.grad, [4, 6])

    @pytest.mark.parametrize("needs", [(True, True), (True, False), (False, True), (False, False)])
    def test_it_is_told_what_is_needed(self, needs):
        x, factor = Tensor([[1.0, 2.0]], needs[0]), Tensor([3.0, 4.0], needs[1])
        out = Scale.apply(x, factor)
        assert Scale.asked == needs
        assert out.requires_grad == any(needs)
        if any(needs):
            out.sum().backward()
        assert (x.grad is not None, factor.grad is not None) == needs

    def test_a_plain_array_needs_nothing(self):
        x = Tensor([[1.0, 2.0]], requires_grad=True)
        Scale.apply(x, np.array([3.0, 4.0], dtype=np.float32)).sum().backward()
        assert Scale.asked == (True, False)
        assert x.grad.tolist() == [[3, 4]]

    def test_a_single_input_may_answer_without_a_tuple(self):
        class Cube(Function):
            @staticmethod
            def forward(ctx, x):
                ctx.x = x
                return x * x * x

            @staticmethod
            def backward(ctx, g):
                return g * 3 * ctx.x * ctx.x

        x = Tensor([1.0, 2.0], requires_grad=True)
        autograd.gradient_check(Cube.apply, [0.5, 1.0])
        Cube.apply(Cube.apply(x)).sum().backward()
        np.testing.assert_allclose(x.grad, [9, 9 * 2**8], rtol=1e-6)

    def test_none_is_zero(self):
        class First(Function):
            @staticmethod
            def forward(ctx, a, b):
                return a + 0 * b

            @staticmethod
            def backward(ctx, g):
                return g, None

        a, b = Tensor([1.0, 2.0], requires_grad=True), Tensor([3.0, 4.0], requires_grad=True)
        First.apply(a, b * 2).sum().backward()
        assert a.grad.tolist() == [1, 1]
        assert b.grad.tolist() == [0, 0]

    @pytest.mark.parametrize(
        "twice", [lambda g: (g, g), lambda g: (g * 2,) * 2, lambda g: ((h := g * 2), h.reshape(2))]
    )
    def test_one_array_for_two_inputs_is_not_shared(self, twice):
        class Sum(Function):
            @staticmethod
            def forward(ctx, a, b):
                return a + b

            @staticmethod
            def backward(ctx, g):
                return twice(g)

        a, b = Tensor([1.0, 2.0], requires_grad=True), Tensor([3.0, 4.0], requires_grad=True)
        Sum.apply(a, b).backward([1, 10])
        before = b.grad.copy()
        a.grad[:] = 99
        np.testing.assert_array_equal(b.grad, before)
        np.testing.assert_array_equal(before, twice(np.float32([1, 10]))[1])

    def test_backward_runs_once_for_all_inputs(self):
        calls = []

        class Sum(Function):
            @staticmethod
            def forward(ctx, *arrays):
                return sum(arrays)

            @staticmethod
            def backward(ctx, g):
                calls.append(g.copy())
                return (g,) * 3

        leaves = [Tensor([float(i)], requires_grad=True) for i in range(3)]
        Sum.apply(*leaves).backward()
        assert len(calls) == 1
        assert [x.grad.tolist() for x in leaves] == [[1]] * 3

    def test_the_context_is_let_go(self):
        class Keep(Function):
            @staticmethod
            def forward(ctx, x):
                ctx.x = x
                contexts.append(ctx)
                return x + 0

            @staticmethod
            def backward(ctx, g):
                return g * ctx.x

        contexts: list = []
        x = Tensor([2.0], requires_grad=True)
        out = Keep.apply(x)
        rule = out._grad_fn.edges[0][2]
        assert rule.context is contexts[0]
        out.backward()
        assert not hasattr(rule, "context")

    def test_broadcast_and_float64_answers_are_brought_back(self):
        class Add(Function):
            @staticmethod
            def forward(ctx, a, b):
                return a + b

            @staticmethod
            def backward(ctx, g):
                return g.astype(np.float64), g

        a, b = Tensor(np.ones((2, 3)), requires_grad=True), Tensor(np.ones(3), requires_grad=True)
        Add.apply(a, b).sum().backward()
        assert (a.grad.dtype, b.grad.dtype) == (np.float32, np.float32)
        assert b.grad.tolist() == [2, 2, 2]

    def test_an_answer_of_the_wrong_shape_is_named(self):
        class Odd(Function):
            @staticmethod
            def forward(ctx, x):
                return x + 0

            @staticmethod
            def backward(ctx, g):
                return np.ones((4, 2), dtype=np.float32)

        with pytest.raises(ShapeError, match=r"\(4, 2\).*\(2, 3\)"):
            Odd.apply(Tensor(np.ones((2, 3)), requires_grad=True)).sum().backward()

    @pytest.mark.parametrize("part", ["forward", "backward"])
    def test_a_missing_half_is_named(self, part):
        class Half(Function):
            pass

        if part == "backward":
            Half.forward = staticmethod(lambda ctx, x: x + 0)
        with pytest.raises(NotImplementedError, match=part):
            Half.apply(Tensor([1.0], requires_grad=True)).backward()

    def test_a_result_that_is_the_input_itself(self):
        class Same(Function):
            @staticmethod
            def forward(ctx, x):
                return x

            @staticmethod
            def backward(ctx, g):
                return g * 3

        x = Tensor([1.0], requires_grad=True)
        Same.apply(x).backward()
        assert x.grad.tolist() == [3]
        x.data[0] = 5
        assert x.data.tolist() == [5]

    def test_a_second_time_is_refused(self):
        x = Tensor([[1.0, 2.0]], requires_grad=True)
        loss = Scale.apply(x, Tensor([3.0, 4.0])).sum()
        loss.backward()
        with pytest.raises(RuntimeError, match="second time"):
            loss.backward()


class Tied(Module):
    """One weight for encoding and decoding."""

    def __init__(self) -> None:
        self.encoder = Linear(3, 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.encoder(x) @ self.encoder.weight  # (N, 3) -> (N, 2) -> (N, 3)


class TestSharedParameters:
    def test_a_tied_weight_adds_up_both_uses(self):
        manual_seed(0)
        model, x = Tied(), np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
        model(Tensor(x)).sum().backward()
        w = model.encoder.weight.numpy().astype(np.float64)
        ones = np.ones((4, 3))
        np.testing.assert_allclose(model.encoder.weight.grad, (x @ w.T).T @ ones + w @ ones.T @ x, rtol=1e-4, atol=1e-5)

    def test_a_layer_that_is_called_twice(self):
        manual_seed(0)
        layer = Linear(2, 2)
        w = layer.weight.numpy()
        layer(layer(Tensor([[1.0, 2.0]]))).sum().backward()
        np.testing.assert_allclose(layer.bias.grad, w.sum(axis=0) + 1, rtol=1e-5)
