# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
r"""
# Module 05: Autograd

A network of a million weights has a million partial derivatives, and nobody derives them on paper. Today every operation that you wrote
learns its own small derivative, and a walk over the recorded graph multiplies them together: all million slopes for a small multiple of
the price of running the network once. You will measure how small.

**Needs** `Tensor` (01), activations (02), layers (03), losses (04) | **Exports** `tinytorch.core.autograd` | **About** 6 hours | **Points** 95

The two folded cells below import what this page needs.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| default_exp core.autograd
#| export
import gc
import inspect
import sys
import weakref
from collections.abc import Callable, Sequence
from functools import wraps
from itertools import count
from math import prod
from operator import attrgetter, itemgetter
from threading import get_ident
from types import FrameType
from typing import Any

import numpy as np

from tinytorch.core.activations import GELU_CUBE, GELU_SCALE, gelu, relu, sigmoid, softmax, tanh
from tinytorch.core.layers import linear
from tinytorch.core.losses import (
    binary_cross_entropy, binary_cross_entropy_with_logits, cross_entropy, log_softmax, mse_loss,
)
from tinytorch.core.tensor import (
    FLOAT32, ShapeError, Tensor, absolute, add, choose, clip, concatenate, count_reduced, div,
    euclidean_norm, exp, expand, index, log, matmul, maximum, mul, neg, own, own_options, permute,
    power, reduce_max, reduce_mean, reduce_sum, reduce_var, reshape, set_engine, sqrt, sub, wrap,
)

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "page-imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
import time  # this page only: plots and measurements are not exported

import matplotlib.pyplot as plt

from tito.lab import (
    check_close, check_equal, check_raises, compare, draw_graph, load_digits, peak_bytes, show,
)

# %% [markdown]
r"""
## One idea: the chain rule, run backwards

Take $L = s \cdot s$ with $s = w x + b$, at $x = 3$, $w = 2$, $b = -4$. Forward, left to right, each box keeps what it saw. Backward, right to
left, each box is told one number, "how much does $L$ move when my output moves?", and answers the same question for its inputs:

```
forward     w = 2 ──┐
            x = 3 ──┴─ mul ── 6 ──┬─ add ── s = 2 ══ mul ── L = 4
            b = -4 ───────────────┘

backward    dw = 12 ─┐
            dx = 8 ──┴─ mul ── 4 ─┬─ add ── ds = 4 ══ mul ── 1
            db = 4 ───────────────┘
```

Check `dw` by hand: the first `mul` was told 4, its other input is 3, and $4 \cdot 3 = 12$. And `ds`: it enters the last `mul` twice, so it is told
2 and 2, which **add** to 4. No box knows the whole formula. That is all there is to *reverse-mode differentiation* (Linnainmaa 1970; Baydin et al.,
*Automatic differentiation in machine learning: a survey*, 2018); the rest of this page is care.

Here is a number that can do it. It remembers its `sources`, and its `slopes`: how much it moves with each of them. A sum moves as much as each of
its parts, so its slopes are 1 and 1. What are the slopes of a product?
"""


# %% nbgrader={"grade": false, "grade_id": "given-scalar", "locked": true, "schema_version": 3, "solution": false, "task": false}
class Scalar:
    """A number that remembers what it was computed from."""

    def __init__(self, data, sources=(), slopes=()):
        self.data, self.grad = data, 0.0
        self.sources, self.slopes = sources, slopes

    def __add__(self, other):
        return Scalar(self.data + other.data, (self, other), (1.0, 1.0))

    def __mul__(self, other):
        return multiply(self, other)

    def backward(self):
        send_back(self, 1.0)


# %% nbgrader={"grade": false, "grade_id": "scalar-product", "locked": false, "schema_version": 3, "solution": true, "task": false}
def multiply(a, b):
    """Return the Scalar a * b.

    TODO: the product, with its two sources and its two slopes.
    APPROACH: 1. look at how Scalar adds  2. differentiate a * b for a, then for b
    EXAMPLE:
        >>> multiply(Scalar(2.0), Scalar(3.0)).data
        6.0

    HINT: hold b still and move a by 0.01: how far does a * b move?
    """
    ### BEGIN SOLUTION
    return Scalar(a.data * b.data, (a, b), (b.data, a.data))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-scalar-product", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_scalar_product():
    """The product, and its slopes for both of its sources."""
    check_close(lambda: multiply(Scalar(2.0), Scalar(3.0)).data, 6.0)
    check_close(lambda: multiply(Scalar(2.0), Scalar(3.0)).slopes, [3.0, 2.0])
    ### BEGIN HIDDEN TESTS
    check_close(lambda: multiply(Scalar(-1.5), Scalar(4.0)).data, -6.0)
    check_close(lambda: multiply(Scalar(-1.5), Scalar(4.0)).slopes, [4.0, -1.5])
    check_close(lambda: [s.data for s in multiply(Scalar(-1.5), Scalar(4.0)).sources], [-1.5, 4.0])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_scalar_product()

# %% [markdown]
r"""
Now the way back. Whoever is told a number adds it to its `grad` and tells each of its sources that number times the slope; a number without
sources tells nobody. With a function that calls itself, this takes three lines.
"""


# %% nbgrader={"grade": false, "grade_id": "scalar-walk", "locked": false, "schema_version": 3, "solution": true, "task": false}
def send_back(value, g):
    """Tell a Scalar that the result moves g times as much as it does, and let it tell its sources.

    TODO: add g to value.grad, and send on what belongs to each source.
    APPROACH: 1. keep what is told  2. for each source and its slope: call send_back on the source
    EXAMPLE:
        >>> w = Scalar(2.0)
        >>> send_back(w * Scalar(3.0), 10.0)
        >>> w.grad
        30.0

    HINT: one call tells the source about one path only; what came on other paths was sent on then.
    """
    ### BEGIN SOLUTION
    value.grad += g
    for source, slope in zip(value.sources, value.slopes, strict=True):
        send_back(source, g * slope)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-scalar-walk", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_scalar_walk():
    """The drawing, number by number: s is used twice."""
    w, x, b = Scalar(2.0), Scalar(3.0), Scalar(-4.0)
    s = w * x + b
    loss = s * s
    loss.backward()
    check_close(lambda: loss.data, 4.0)
    check_close(lambda: [loss.grad, s.grad], [1.0, 4.0])
    check_close(lambda: [w.grad, x.grad, b.grad], [12.0, 8.0, 4.0])
    ### BEGIN HIDDEN TESTS
    a, c = Scalar(1.5), Scalar(-2.0)
    p = a * c
    q = p * a + p
    q.backward()
    check_close(lambda: [a.grad, c.grad], [-8.0, 3.75])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_scalar_walk()

# %% [markdown]
r"""
This is a complete engine: given `exp` and a few more operations, it could train a network. What keeps anybody from doing so? It walks every *path*
from the result back. Take `y = y + y`, again and again: each addition has two ways to its source. How long will the walk over 40 of them take?
(Every path brings a 1 to `x`, so `x.grad` counts them.)
"""


# %%
def analyze_paths():
    """How the walk over all paths grows with the number of operations."""
    for n in (4, 8, 12, 16):
        x = y = Scalar(1.0)
        for _ in range(n):
            y = y + y
        start = time.perf_counter()
        y.backward()
        seconds = time.perf_counter() - start
        print(f"{n:2} additions: {x.grad:6,.0f} paths, {1000 * seconds:7.2f} ms")
    hours = seconds * 2 ** (40 - n) / 3600
    print(f"At this pace 40 additions take {hours:,.0f} hours.")


if __name__ == "__main__":
    analyze_paths()

# %% [markdown]
r"""
Two things are missing, then: numbers in blocks (a `Tensor` instead of a `Scalar`), and an **order** in which every operation is visited once, when all that
it will be told has arrived. The rest of the page brings both.

## One rule per input

A Scalar kept its slopes. A Tensor's would fill a matrix, one slope for each pair of elements; so every operation gets a *rule* instead, one per
input, which turns the gradient of the output into that of the input. We write the rules as PyTorch does in its file `derivatives.yaml`: by the
input's name, and asking for exactly what the rule needs, because **what a rule asks for must be kept in memory until the backward pass**:

- `g`: the gradient of the loss with respect to the output, same shape as the output;
- any parameter of the operation by its name (`a`, `b`, `axis`, ...); `out`, its result; `saved`, what its forward kept;
- `input_shape`: the shape of this input, where its values are not needed.

The folded cell holds the decorator that puts a rule into its operation's table; under it stand the simplest rules.
"""


# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-rule-tables", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def derivative(operation: Callable, name: str) -> Callable:
    """Register the decorated function as the derivative rule of `operation` for its input `name`.

    The rule is called as rule(g, ...) with the values that its parameters name, and returns the
    gradient for that input; if broadcasting stretched the input, it may return the stretched shape.

    Example:
        >>> @derivative(neg, "x")
        ... def neg_x(g):
        ...     return -g
    """
    places = {known: i for i, known in enumerate((*operation.names, *EXTRAS))}

    def register(rule: Callable) -> Callable:
        wants = [places[want] for want in rule.__code__.co_varnames[1 : rule.__code__.co_argcount]]
        operation.rules = operation.rules or Rules(operation.__name__)
        operation.rules[places.get(name, VARIADIC)] = (rule, picker(wants))
        return rule

    return register


# What a rule may ask for besides the operation's own parameters, as the engine lays it out.
EXTRAS = ("out", "saved", "input_shape", "position")
VARIADIC = -1  # the place of inputs that come as *blocks


class Rules(dict):
    """The derivative rules of one operation: place of the input -> (rule, picker of its wishes)."""

    def __init__(self, operation: str) -> None:
        self.operation = operation

    def __missing__(self, place: int) -> tuple:
        return self[VARIADIC] if VARIADIC in self else (self.unknown, picker([]))

    def unknown(self, g: np.ndarray) -> np.ndarray:
        """Stands in for a rule that nobody wrote: backward says what is missing."""
        raise NotImplementedError(
            f"{self.operation} has no derivative rule for this input: "
            "register one with @derivative."
        )


def picker(places: list[int]) -> Callable:
    """A function that picks the values at `places` out of a list, as a tuple."""
    if len(places) == 1:
        place = places[0]
        return lambda values: (values[place],)
    return itemgetter(*places) if places else lambda values: ()


# %% nbgrader={"grade": false, "grade_id": "rules-add-sub", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@derivative(add, "a")
def add_a(g):
    """d(a + b)/da = 1: the gradient passes."""
    return g


@derivative(add, "b")
def add_b(g):
    """d(a + b)/db = 1."""
    return g


@derivative(sub, "a")
def sub_a(g):
    """d(a - b)/da = 1."""
    return g


@derivative(sub, "b")
def sub_b(g):
    """d(a - b)/db = -1."""
    return -g


@derivative(neg, "x")
def neg_x(g):
    """d(-x)/dx = -1."""
    return -g


# %% [markdown]
r"""
Addition asks for nothing: its inputs can be forgotten at once. A product must keep both. What about a quotient $a / b$, for each
of its inputs? (Use `out` where you can: it is kept anyway, since somebody else uses it.)
"""


# %% nbgrader={"grade": false, "grade_id": "rules-mul-div", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@derivative(mul, "a")
def mul_a(g, b):
    """Gradient of a * b for a."""
    ### BEGIN SOLUTION
    return g * b
    ### END SOLUTION


@derivative(mul, "b")
def mul_b(g, a):
    """Gradient of a * b for b."""
    ### BEGIN SOLUTION
    return g * a
    ### END SOLUTION


@derivative(div, "a")
def div_a(g, b):
    """Gradient of a / b for a."""
    ### BEGIN SOLUTION
    return g / b
    ### END SOLUTION


@derivative(div, "b")
def div_b(g, b, out):
    """Gradient of a / b for b, from b and out = a / b.

    TODO: the four rules of this cell, one line each.
    APPROACH: 1. differentiate on paper  2. multiply by g  3. for div_b, write a / b^2 with `out`
    EXAMPLE:
        >>> mul_a(np.float32([1, 1]), b=np.float32([5, 7]))
        array([5., 7.], dtype=float32)

    HINT: g, a, b and out are arrays; everything here is element by element.
    """
    ### BEGIN SOLUTION
    return -g * out / b
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-rules-mul-div", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_rules_mul_div():
    """Each rule against the slope that a small step measures."""
    rng = np.random.default_rng(0)
    a, b, g = (rng.uniform(0.5, 2, size=4) for _ in range(3))
    step = 1e-6
    check_close(lambda: mul_a(g, b), g * ((a + step) * b - a * b) / step)
    check_close(lambda: div_a(g, b), g * ((a + step) / b - a / b) / step)
    ### BEGIN HIDDEN TESTS
    check_close(lambda: mul_b(g, a), g * (a * (b + step) - a * b) / step)
    check_close(lambda: div_b(g, b, a / b), g * (a / (b + step) - a / b) / step, atol=1e-4)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_rules_mul_div()

# %% [markdown]
r"""
## Recording

When an operation has an input that requires a gradient, the gate `@op` of module 01 reports to the engine, and the engine leaves a
**node** on the result's `_grad_fn`. A node keeps an *edge* for each such input: where its gradient goes, and the rule with exactly the values
that the rule asked for. With `w` and `b` to be learned, `y = w * x + b` leaves

```
y._grad_fn = <add>  ── edge ──▶ <mul> ── edge ──▶ w    (rule mul_a, keeps the array of x)
                └────── edge ──▶ b                     (rule add_b, keeps nothing)
```

Notice what is *not* there: no edge to x, which needs no gradient, and no Tensor of an intermediate result: the edge goes to the **node** that made
it. An array that no rule asked for is freed as soon as the forward pass leaves it behind.
"""


# %% nbgrader={"grade": false, "grade_id": "given-node", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Node:
    """What one operation leaves in the graph; it attaches itself to `out`, the operation's result.

    edges:   for each input that needs a gradient: (target, shape, rule, kept). The target is the
             node that made the input, or the input itself if no operation made it; `shape` is the
             input's shape; `kept` is what the rule asked for.
    holds:   what keeps the inputs frozen.
    order:   creation number; a node is always created after the nodes that made its inputs.
    grad:    gradient of the loss for the operation's result, while the backward pass collects it.
    """

    __slots__ = ("edges", "grad", "holds", "name", "order")

    def __init__(
        self,
        name: str,
        edges: list,
        holds: Sequence,
        out: Tensor,
        next_order: Callable = count().__next__,
    ) -> None:
        self.name = name
        self.edges = edges
        self.holds = holds
        self.order = next_order()
        self.grad: np.ndarray | None = None
        out._data.setflags(False)  # a recorded result is never written; by position it is faster
        out._requires_grad = True
        out._grad_fn = self

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def targets(self) -> "list[Node]":
        """The nodes that made this operation's inputs.

        Raises:
            RuntimeError: an earlier backward pass has freed what this node had kept.
        """
        if self.edges is None:
            raise RuntimeError(
                f"backward() through {self} a second time: the first one freed what it had saved. "
                f"Add the losses up and call backward() once, or compute the result again."
            )
        return [edge[0] for edge in self.edges if isinstance(edge[0], Node)]

    def release(self) -> None:
        """Forget everything that was kept for the backward pass."""
        self.edges = self.holds = self.grad = None


# %% nbgrader={"grade": false, "grade_id": "connect", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def connect(inputs: Sequence, rules: Rules, values: list) -> list[tuple]:
    """Return a new node's edges (target, shape, rule, kept): one for each input that needs one.

    Args:
        inputs: what the operation was called with: Tensors, and numbers or arrays between them.
        rules: place of an input, counted from 0 -> (rule, pick).
        values: what pick(values) picks from. The last two entries are the input's shape and its
            place: set them before you pick.

    TODO: go over the inputs and make the edges.
    APPROACH: 1. pass over what is no Tensor or has no _requires_grad
              2. the target is the input's _grad_fn, or the input itself if that is None
              3. set values[-2] and values[-1], and pick
    EXAMPLE:
        >>> w, x = Tensor(2.0, requires_grad=True), Tensor(3.0)
        >>> [rule.__name__ for target, shape, rule, kept in (w * x)._grad_fn.edges]
        ['mul_a']

    HINT: in x * w the input w has place 1, although it is the only one that gets an edge.
    """
    ### BEGIN SOLUTION
    edges = []
    for i, x in enumerate(inputs):
        if isinstance(x, Tensor) and x._requires_grad:
            rule, pick = rules[i]
            values[-2] = shape = x._data.shape
            values[-1] = i
            edges.append((x._grad_fn or x, shape, rule, pick(values)))
    return edges
    ### END SOLUTION


# %% [markdown]
r"""
`Recorder` calls your function whenever an operation reports. The last line switches it on.
"""


# %% nbgrader={"grade": false, "grade_id": "given-recorder", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def leave_node(operation, out, inputs, arrays, options, saved, holds=()) -> None:
    """Lay out what rules may ask for, the parameters in order and EXTRAS, and connect a node."""
    values = arrays if operation.takes else []
    if len(values) < len(operation.names):
        for name in operation.names[len(values) :]:
            values.append(options[name] if name in options else operation.defaults.get(name))
    values += (out._data, saved, None, None)
    edges = connect(inputs, operation.rules or Rules(operation.__name__), values)
    Node(operation.__name__, edges, holds, out)


class Recorder:
    """What operations report to: see `set_engine` in module 01."""

    def recording(self) -> bool:
        """Whether operations are being recorded."""
        return True

    def record(self, *report: Any) -> None:
        """Leave a node on the result of an operation."""
        leave_node(*report)

    def backward(self, tensor: Tensor, grad: Any = None) -> None:
        """Fill `grad` of every Tensor that `tensor` was computed from and that requires one."""
        backward(tensor, grad)

    def guard(self, array: np.ndarray) -> np.ndarray:
        """What `.data` of a Tensor gives away."""
        return array


# %% nbgrader={"grade": false, "grade_id": "given-switch-on", "locked": true, "schema_version": 3, "solution": false, "task": false}
if __name__ == "__main__":
    set_engine(Recorder())


# %% nbgrader={"grade": true, "grade_id": "test-connect", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_connect():
    """The edges of the drawing: to whom, by which rule, with what."""
    w, b = Tensor(2.0, requires_grad=True), Tensor(-4.0, requires_grad=True)
    x = Tensor(3.0)
    check_equal(
        lambda: [rule.__name__ for _, _, rule, _ in (w * x + b)._grad_fn.edges], ["add_a", "add_b"]
    )
    check_equal(lambda: repr((w * x + b)._grad_fn.edges[0][0]), "<mul>")
    check_equal(lambda: [rule.__name__ for _, _, rule, _ in (x * w)._grad_fn.edges], ["mul_b"])
    check_close(lambda: (x * w)._grad_fn.edges[0][3], [3.0])
    ### BEGIN HIDDEN TESTS
    u, v = Tensor(np.ones((2, 3)), requires_grad=True), Tensor(np.full(3, 2.0), requires_grad=True)
    check_equal(lambda: [shape for _, shape, _, _ in (u / v)._grad_fn.edges], [(2, 3), (3,)])
    check_equal(lambda: [len(kept) for _, _, _, kept in (u / v)._grad_fn.edges], [1, 2])
    check_equal(lambda: [rule.__name__ for _, _, rule, _ in (2 - v)._grad_fn.edges], ["sub_b"])
    check_equal(lambda: (u * v)._grad_fn.edges[1][0] is v, True)
    check_equal(lambda: len((u * u)._grad_fn.edges), 2)
    rules, values = {1: ("rule", lambda values: list(values))}, ["out", None, None]
    check_equal(lambda: [e[3] for e in connect([2.0, u], rules, values)], [["out", (2, 3), 1]])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_connect()

# %% [markdown]
r"""
Look at what you recorded: Tensors with round corners, operations with sharp ones. Where is `x`? And why does a box have two arrows from the same one?
"""


# %%
def analyze_drawing():
    """Draw the graph of the first page."""
    w, x, b = Tensor(2.0, requires_grad=True), Tensor(3.0), Tensor(-4.0, requires_grad=True)
    s = w * x + b
    draw_graph(s * s, w=w, x=x, b=b)


if __name__ == "__main__":
    analyze_drawing()

# %% [markdown]
r"""
## In which order?

A node may pass its gradient on only when *all* its consumers have delivered theirs. In this graph `<exp>` feeds both `<mul>` and `<add>`; who
must come before whom?

```
x ──▶ <exp> ──┬──▶ <mul> ──▶ <add> ──▶ y          y = e * 3 + e
              └──────────────▶ ┘
```

Any order in which each node comes before the nodes that made its inputs is right: a *topological* order. The textbook finds one with a clever
recursion, and a chain of 10,000 operations then dies of Python's recursion limit. We have something better: creation numbers.
A node is created after its inputs, so the newest first is an order that cannot be wrong. What is left is to find every node once.
"""


# %% nbgrader={"grade": false, "grade_id": "topological-order", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def topological_order(root: Node) -> list[Node]:
    """Return every node that can be reached from `root`, each once, the newest first.

    Args:
        root: where the backward pass starts.

    TODO: collect the reachable nodes without recursion, then sort them.
    APPROACH: 1. a stack with the root, a set of nodes seen
              2. pop one, push those of its targets() not seen yet  3. sort by `order`
    EXAMPLE:
        >>> x = Tensor(2.0, requires_grad=True)
        >>> topological_order((x.exp() * 3)._grad_fn)
        [<mul>, <exp>]

    HINT: mark a node as seen when you *push* it, or a shared node gets in twice.
    """
    ### BEGIN SOLUTION
    seen, stack = {root}, [root]
    while stack:
        for node in stack.pop().targets():
            if node not in seen:
                seen.add(node)
                stack.append(node)
    return sorted(seen, key=attrgetter("order"), reverse=True)
    ### END SOLUTION


# %% nbgrader={"grade": false, "grade_id": "given-chain", "locked": true, "schema_version": 3, "solution": false, "task": false}
def build_chain(x: Tensor, length: int) -> Tensor:
    """`x` times one, `length` times over."""
    for _ in range(length):
        x = x * 1.0
    return x


# %% nbgrader={"grade": true, "grade_id": "test-topological-order", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_topological_order():
    """A chain, a shared node, and a chain too long for recursion."""
    x = Tensor(2.0, requires_grad=True)
    check_equal(
        lambda: [node.name for node in topological_order((x.exp() * 3)._grad_fn)], ["mul", "exp"]
    )
    e = x.exp()
    check_equal(
        lambda: [node.name for node in topological_order((e * 3 + e)._grad_fn)],
        ["add", "mul", "exp"],
    )
    ### BEGIN HIDDEN TESTS
    e = x.exp()
    check_equal(
        lambda: [node.name for node in topological_order((e + e * 3)._grad_fn)],
        ["add", "mul", "exp"],
    )
    check_equal(lambda: len(topological_order(build_chain(x, 1200)._grad_fn)), 1200)
    z = x
    for _ in range(30):
        z = z + z
    check_equal(lambda: len(topological_order(z._grad_fn)), 30)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_topological_order()

# %% [markdown]
r"""
## The walk

If a Tensor is used twice, its two gradients **add**, as those of `s` did. Forgetting this hides well, because many small networks use nothing twice.
It is also why `zero_grad` exists: a second `backward` adds to the first until you say that you are done.
"""


# %% nbgrader={"grade": false, "grade_id": "accumulate", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def accumulate(target: Any, grad: np.ndarray) -> None:
    """Add `grad` to target.grad, which is None before the first gradient arrives.

    Args:
        target: a Tensor or a Node.
        grad: array of the target's shape; others may hold it too, so it must not be changed.

    TODO: the first gradient is kept as it is, a later one is added.
    APPROACH: 1. None: store  2. otherwise: store the sum
    EXAMPLE:
        >>> w = Tensor([1.0], requires_grad=True)
        >>> accumulate(w, np.float32([2])); accumulate(w, np.float32([3])); w.grad
        array([5.], dtype=float32)

    HINT: `a += b` writes into the array a; `a = a + b` makes a new one. Which of them is safe here?
    """
    ### BEGIN SOLUTION
    target.grad = grad if target.grad is None else target.grad + grad
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-accumulate", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_accumulate():
    """Gradients add up, and nobody's array is changed on the way."""
    w = Tensor([1.0, 1.0], requires_grad=True)
    accumulate(w, np.float32([1, 2]))
    accumulate(w, np.float32([10, 20]))
    check_close(lambda: w.grad, [11, 22])
    ### BEGIN HIDDEN TESTS
    accumulate(w, np.float32([100, 200]))
    check_close(lambda: w.grad, [111, 222])
    first = np.float32([1, 2])
    u, v = Tensor([0.0, 0.0], requires_grad=True), Tensor([0.0, 0.0], requires_grad=True)
    accumulate(u, first)
    accumulate(v, first)
    accumulate(u, np.float32([5, 5]))
    check_close(lambda: v.grad, [1, 2])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_accumulate()

# %% [markdown]
r"""
## Undoing a broadcast

A bias of shape (3,) was added to each of 4 rows. Each of its numbers acted four times, so its gradient is the **sum** of four
gradients. In general: forward stretched an axis, backward sums over it.

```
g (2, 4, 3)  ->  for shape (4, 1):   axis 0 was missing: sum it away        (4, 3)
                                     axis 1 was a 1: sum, keep it as a 1    (4, 1)
```
"""


# %% nbgrader={"grade": false, "grade_id": "unbroadcast", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def unbroadcast(grad: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Sum `grad` down to `shape`, the shape that an input had before it was stretched.

    Args:
        grad: gradient in the stretched shape.
        shape: a shape that broadcasts to grad.shape.

    Returns:
        array of shape `shape`.

    TODO: sum over every axis that was stretched.
    APPROACH: 1. axes missing at the left: sum them away
              2. axes that were 1 and no longer are: sum with keepdims=True
    EXAMPLE:
        >>> unbroadcast(np.ones((2, 4, 3)), (4, 1))
        array([[6.],
               [6.],
               [6.],
               [6.]])

    HINT: grad.ndim - len(shape) axes are missing. A size of 1 in *both* shapes was not stretched.
    """
    ### BEGIN SOLUTION
    missing = grad.ndim - len(shape)
    if missing:
        grad = grad.sum(axis=tuple(range(missing)))  # (..., *shape) -> stretched shape
    stretched = tuple(i for i, n in enumerate(shape) if n == 1 and grad.shape[i] != 1)
    return grad.sum(axis=stretched, keepdims=True) if stretched else grad
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-unbroadcast", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_unbroadcast():
    """Missing axes, axes of size 1, both at once, and nothing to do."""
    g = np.arange(6.0).reshape(2, 3)
    check_close(lambda: unbroadcast(g, (3,)), [3, 5, 7])
    check_close(lambda: unbroadcast(g, (2, 1)), [[3], [12]])
    check_close(lambda: unbroadcast(g, (2, 3)), g)
    ### BEGIN HIDDEN TESTS
    h = np.random.default_rng(1).normal(size=(2, 4, 3))
    check_close(lambda: unbroadcast(h, (4, 1)), h.sum(0).sum(1, keepdims=True))
    check_close(lambda: unbroadcast(h, ()), h.sum())
    check_close(lambda: unbroadcast(h, (1, 1, 1)), h.sum().reshape(1, 1, 1))
    check_close(lambda: unbroadcast(np.ones((0, 3)), (1, 3)), np.zeros((1, 3)))
    check_close(lambda: unbroadcast(np.ones((1, 3)), (1, 1)), [[3.0]])
    check_equal(lambda: unbroadcast(np.ones((2, 0)), (1, 0)).shape, (1, 0))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_unbroadcast()

# %% [markdown]
r"""
### All together

The whole algorithm, in the words that you have built: order the nodes; at each, go over the `edges`, call the rule with the node's
gradient and what was kept for it, let `fit` bring the answer into the input's shape, and `accumulate` on the target. Then `release()` the node, so that its
memory can be used again while the walk goes on. A released node refuses to name its `targets()`; since the order is found before the first gradient
moves, a refused pass changes nothing.

The folded cell holds two functions that the walk calls: `seed_gradient(tensor, grad)` returns the gradient that it starts with, and
`fit(answer, g, shape, target)` calls your `unbroadcast` on a rule's `answer` to `g`, and says which rule it was if the answer makes no sense.
"""


# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-seed-and-fit", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def seed_gradient(tensor: Tensor, grad: Any) -> np.ndarray:
    """Check that backward can start at `tensor`, and return the gradient that it starts with.

    Raises:
        RuntimeError: nothing was recorded, or `tensor` has several elements and `grad` is None.
        ShapeError: `grad` has another shape than `tensor`.
    """
    if not tensor.requires_grad:
        raise RuntimeError(
            "backward() on a Tensor without a graph: none of its inputs has requires_grad=True, "
            "or it was computed under no_grad()."
        )
    if grad is None:
        if tensor.numel() != 1:
            raise RuntimeError(
                f"backward() starts from one number, not shape {tensor.shape}: reduce it first, "
                f"for example with .mean() or .sum(), or pass a gradient of that shape."
            )
        return np.ones(tensor.shape, dtype=np.float32)
    grad = np.array(grad.data if isinstance(grad, Tensor) else grad, dtype=np.float32)
    if grad.shape != tensor.shape:
        raise ShapeError(
            f"backward(grad): the gradient has shape {grad.shape}, the Tensor {tensor.shape}."
        )
    return grad


def fit(grad: np.ndarray, g: np.ndarray, shape: tuple[int, ...], target: Any) -> np.ndarray:
    """Bring a rule's answer to g into shape: broadcast undone, float32, its target's alone.

    Raises:
        TypeError: the rule answered with no array; the message names it and what was expected.
        ShapeError: the array has a shape from which broadcasting cannot have come.
    """
    try:
        fits = grad.shape == shape
    except AttributeError:
        hint = "is a `return` missing?" if grad is None else "inside a rule everything is an array."
        raise TypeError(
            f"{rule_of(g, target)} returned {type(grad).__name__}, "
            f"not a gradient of shape {shape}: {hint}"
        ) from None
    if not fits:
        stretched, grad = grad.shape, unbroadcast(grad, shape)
        if grad.shape != shape:
            raise ShapeError(
                f"a derivative rule returned shape {stretched} for an input of shape {shape}."
            )
    if grad.dtype is not FLOAT32:
        grad = grad.astype(np.float32)
    if type(target) is not Node and target.grad is None and not is_own(grad, g):
        grad = np.array(grad)  # a Tensor's grad is its own; between nodes arrays are only passed on
    return grad


def rule_of(g: np.ndarray, target: Any) -> str:
    """The name of the rule that was given g and answers for `target`, by the node that holds g."""
    nodes = [node for node in gc.get_referrers(g) if isinstance(node, Node) and node.edges]
    names = [edge[2].__name__ for node in nodes for edge in node.edges if edge[0] is target]
    return f"the derivative rule {names[0]}" if names else "a derivative rule"


def is_own(grad: Any, g: np.ndarray) -> bool:
    """Whether a rule made `grad`, or all of the array that it looks into, for nobody else."""
    if type(grad) is not np.ndarray or not grad.flags.writeable or grad is g:
        return False
    base = grad.base
    if base is None:
        return True
    return (
        isinstance(base, np.ndarray)
        and base.size == grad.size
        and base is not g
        and base is not g.base
    )


# %% nbgrader={"grade": false, "grade_id": "backward", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def backward(tensor: Tensor, grad: Any = None) -> None:
    """Fill `grad` of every Tensor that requires one and that `tensor` was computed from.

    Args:
        tensor: where to start, usually the loss.
        grad: gradient to start with; may be left out for a single number, where it is 1.

    Raises:
        RuntimeError, ShapeError: see seed_gradient and Node.targets; nothing has changed then.

    TODO: the walk.
    APPROACH: 1. no node: accumulate the seed on the tensor itself  2. order the nodes
              3. seed the root's grad  4. at each node: every edge, then release
    EXAMPLE:
        >>> x = Tensor(3.0, requires_grad=True)
        >>> backward(x * x + x)
        >>> x.grad
        array(7., dtype=float32)

    HINT: what a rule asked for was kept as a tuple; its first argument, g, nobody could keep.
    """
    ### BEGIN SOLUTION
    seed = seed_gradient(tensor, grad)
    root = tensor._grad_fn
    if root is None:
        accumulate(tensor, seed)
        return
    nodes = topological_order(root)
    root.grad = seed
    for node in nodes:
        for target, shape, rule, kept in node.edges:
            partial = rule(node.grad, *kept)  # the chain rule, once
            accumulate(target, fit(partial, node.grad, shape, target))
        node.release()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-backward", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_backward():
    """The drawing again, a bias that broadcasting stretched, and a second call that is refused."""
    w, x, b = (Tensor(v, requires_grad=True) for v in (2.0, 3.0, -4.0))
    s = w * x + b
    loss = s * s
    loss.backward()
    check_close(lambda: [float(w.grad), float(x.grad), float(b.grad)], [12, 8, 4])
    check_raises(RuntimeError, lambda: loss.backward(), mentions=["second time"])
    rows, bias = Tensor(np.ones((2, 3))), Tensor(np.zeros(3), requires_grad=True)
    (rows + bias).backward([[1, 2, 3], [4, 5, 6]])
    check_close(lambda: bias.grad, [5, 7, 9])
    ### BEGIN HIDDEN TESTS
    y = Tensor([1.0, 2.0], requires_grad=True)
    e = y * y
    (e * e + e).backward([1.0, 1.0])
    check_close(lambda: y.grad, [6.0, 36.0])
    y.backward(np.float32([1, 1]))
    check_close(lambda: y.grad, [7.0, 37.0])
    column = Tensor(np.ones((3, 1)), requires_grad=True)
    (column * np.arange(4.0)).backward(np.ones((3, 4)))
    check_close(lambda: column.grad, [[6.0]] * 3)
    check_raises(RuntimeError, lambda: (y * 2).backward(), mentions=["(2,)"])
    check_raises(RuntimeError, lambda: Tensor(1.0).backward(), mentions=["requires_grad"])
    u = Tensor(1.0, requires_grad=True)
    shared = u * 2
    (shared * 3).backward()
    check_raises(RuntimeError, lambda: (shared * 5).backward(), mentions=["second time"])
    check_close(lambda: float(u.grad), 6.0)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_backward()

# %% [markdown]
r"""
The first gradients have flowed. And the 40 additions?
"""


# %%
def analyze_order():
    """The walk that took every path now visits every node once."""
    x = y = Tensor(1.0, requires_grad=True)
    for _ in range(40):
        y = y + y
    start = time.perf_counter()
    y.backward()
    ms = 1000 * (time.perf_counter() - start)
    print(f"40 additions: {float(x.grad):,.0f} paths, {ms:.2f} ms")


if __name__ == "__main__":
    analyze_order()

# %% [markdown]
r"""
## Nobody writes into what the graph needs

One danger remains. A node keeps x's array, not a copy; if you write into it before `backward`, the gradient will be wrong and nothing will say so.
So a used array is *frozen* (NumPy's `writeable` flag) until the graph that needs it is gone, and `.data` of a frozen Tensor answers a write with an
explanation. What cannot be frozen, because somebody else holds a view of it, is copied. The folded cell is all care and no new idea: open it
when you wonder how it is done.
"""


# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-guards", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class ReadOnlyArray(np.ndarray):
    """A view of numbers that a graph needs: while they are needed, a write is explained."""

    MESSAGE = (
        "these numbers are saved for backward(), and a write would falsify the gradient. "
        "Write after backward(), drop the graph (del the loss), compute under no_grad() so that "
        "none is recorded, or write into a copy: x.numpy()."
    )

    def unlock(self) -> None:
        """Become writable if the array that this is a view of is writable again.

        Raises:
            ValueError: it is not.
        """
        if not self.flags.writeable:
            if not owner_of(self).flags.writeable:
                raise ValueError(self.MESSAGE)
            self.setflags(write=True)

    def __setitem__(self, key, value):
        self.unlock()
        super().__setitem__(key, value)

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        """Compute with plain arrays; refuse to be the output."""
        for array in out or ():
            if isinstance(array, ReadOnlyArray):
                array.unlock()
        plain = [x.view(np.ndarray) if isinstance(x, ReadOnlyArray) else x for x in inputs]
        if out is not None:
            options["out"] = tuple(
                x.view(np.ndarray) if isinstance(x, ReadOnlyArray) else x for x in out
            )
        return getattr(ufunc, method)(*plain, **options)

    def __repr__(self):
        return repr(self.view(np.ndarray))


class ResultArray(ReadOnlyArray):
    """A view of the result of a recorded operation, which is never written to."""

    MESSAGE = (
        "these numbers are the result of a recorded operation, and others may have been "
        "computed from them: they stay as they are. Compute a new Tensor (y = y * 2), "
        "or write into a copy: y.numpy() or Tensor(y.numpy())."
    )


_frozen: dict[int, weakref.ref] = {}  # id of an array -> its Frozen, so that all graphs share one
_lent: dict[int, weakref.ref] = {}  # id of an array -> itself, if `.data` has ever given it away


class Frozen:
    """Keeps one array read-only for as long as a node holds on to this object."""

    __slots__ = ("__weakref__", "array")

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        array.setflags(False)
        _frozen[id(array)] = weakref.ref(self)

    def __del__(self) -> None:
        del _frozen[id(self.array)]
        self.array.setflags(True)


def owner_of(array: np.ndarray) -> np.ndarray:
    """The array whose memory `array` looks into, itself if the memory is its own."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def freeze(array: np.ndarray, places: Sequence = ()) -> Frozen | None:
    """Make the array of a Tensor (or what it looks into) read-only until the result is dropped.

    Args:
        array: the numbers of a Tensor.
        places: where else the caller holds arrays: an operation's arguments, its result.

    Returns:
        None if that would not be enough: the memory is not NumPy's own, or somebody may hold a view
        of it that is older than the graph and has a flag of its own. Then it must be copied.
    """
    owner = owner_of(array)
    reference = _frozen.get(id(owner))
    if reference is not None:
        return reference()
    if not owner.flags.owndata:
        return None
    if id(owner) in _lent:
        others = sys.getrefcount(owner) - ALONE
        if owner is not array or (others > 1 and others > references_to(owner, places)):
            return None
    return Frozen(owner)


def references_to(owner: np.ndarray, places: Sequence) -> int:
    """How many references to an array come from `places`: itself, and one for each view of it."""
    held = [x for place in places for x in place]
    views = {id(x) for x in held if isinstance(x, np.ndarray) and x.base is owner}
    return sum(x is owner for x in held) + len(views)


def references_of_one() -> int:
    """What sys.getrefcount says in `freeze` of an array that a Tensor and the caller know."""

    def count(array: np.ndarray) -> int:
        owner = owner_of(array)
        return sys.getrefcount(owner)

    tensor = wrap(np.zeros((), FLOAT32))  # without Tensor(...), whose heart may not be written yet
    return count(tensor._data)


ALONE = references_of_one()

# %% [markdown]
r"""
`Engine` is the recorder with these guards, and with an ear for `no_grad`, which says when *not* to record: while you measure, and while you
change weights. `with no_grad(): ...` counts for the thread that enters it.
"""


# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-engine", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Engine(Recorder):
    """A recorder that minds `no_grad`, and takes care that nobody changes what a graph needs."""

    def recording(self) -> bool:
        """Whether no `no_grad` is in force here."""
        return not _quiet or not is_quiet()

    def record(self, operation, out, inputs, arrays, options, saved) -> None:
        """Freeze the inputs and leave a node on `out`, unless `no_grad` is in force."""
        if _quiet and is_quiet():
            return
        holds = []
        for x in inputs:
            if isinstance(x, Tensor) and x._grad_fn is None:
                known = _frozen.get(id(x._data))
                frozen = known() if known else freeze(x._data, [arrays, (out._data, saved)])
                if frozen is None and any(array is x._data for array in arrays):
                    self.record_copies(operation, out, inputs, arrays, options)
                    return
                holds.append(frozen)
                if out._data is x._data:
                    out._data = x._data.view()  # a forward that hands its input back
        leave_node(operation, out, inputs, arrays, options, saved, holds)

    def record_copies(
        self, operation: Callable, out: Tensor, inputs: Sequence, arrays: list, options: dict
    ) -> None:
        """Do the operation again, on copies of what cannot be frozen, and record that."""
        arrays = [
            x._data.copy("K") if isinstance(x, Tensor) and x._grad_fn is None else array
            for x, array in zip(inputs, arrays, strict=True)
        ]
        result = operation.__wrapped__(*arrays, **options)
        result, saved = result if type(result) is tuple else (result, None)
        out._data = wrap(result)._data
        self.record(operation, out, inputs, arrays, options, saved)

    def hold(self, inputs: Sequence, arrays: list) -> list | None:
        """The same care for a Function, before its forward: what freezes the inputs, or None.

        An entry of `arrays` that cannot be frozen is replaced by a copy.
        """
        if _quiet and is_quiet():
            return None
        holds = []
        for place, x in enumerate(inputs):
            if isinstance(x, Tensor) and x._grad_fn is None:
                holds.append(freeze(x._data, [arrays]))
                if holds[-1] is None:
                    arrays[place] = x._data.copy("K")
        return holds

    def guard(self, array: np.ndarray) -> np.ndarray:
        """The array itself while it may be written, noted as lent; else a view that explains."""
        owner = array if array.base is None else owner_of(array)
        if id(owner) not in _lent:
            _lent[id(owner)] = weakref.ref(owner, lambda _, key=id(owner): _lent.pop(key, None))
        if array.flags.writeable and (owner is array or owner.flags.writeable):
            return array
        view = array.view(ReadOnlyArray if id(owner) in _frozen else ResultArray)
        view.setflags(False)  # a view made before its owner was frozen would still be writable
        return view


# The no_grad blocks that are open: for each its thread, or the frame of its generator.
_quiet: list[int | FrameType] = []
RESUMABLE = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


def is_quiet() -> bool:
    """Whether a no_grad is in force here: entered by this thread, or by a generator it runs."""
    if get_ident() in _quiet:
        return True
    frame = sys._getframe(1)
    while frame is not None:
        if frame in _quiet:
            return True
        frame = frame.f_back
    return False


class no_grad:
    """Record nothing inside: `with no_grad(): ...`, or as a decorator `@no_grad()` of a function.

    It counts for the thread that enters it, in a generator only while the generator runs.

    Example:
        >>> w = Tensor([1.0], requires_grad=True)
        >>> with no_grad():
        ...     y = w * 2
        >>> y.requires_grad
        False
    """

    def __init__(self) -> None:
        self.entered: list[int | FrameType] = []  # a stack, because one object may be entered twice

    def __enter__(self) -> "no_grad":
        caller = sys._getframe(1)
        self.entered.append(caller if caller.f_code.co_flags & RESUMABLE else get_ident())
        _quiet.append(self.entered[-1])
        return self

    def __exit__(self, *error: Any) -> None:
        _quiet.remove(self.entered.pop())

    def __call__(self, function: Callable) -> Callable:
        """Decorate a function, so that it records nothing whenever it runs."""
        if inspect.isgeneratorfunction(function):

            @wraps(function)
            def quiet(*inputs: Any, **options: Any) -> Any:
                with no_grad():
                    return (yield from function(*inputs, **options))
        else:

            @wraps(function)
            def quiet(*inputs: Any, **options: Any) -> Any:
                with no_grad():
                    return function(*inputs, **options)

        return quiet


engine = Engine()


def enable_autograd() -> None:
    """Let every operation report to the engine from now on; calling it again changes nothing."""
    set_engine(engine)


enable_autograd()


# %%
def analyze_guards():
    """Try what would falsify a gradient, and an operation under no_grad."""
    w, x = Tensor([2.0], requires_grad=True), Tensor([3.0])
    y = w * x  # the rule for w keeps the array of x
    try:
        x.data[0] = 100.0
    except ValueError as error:
        print(f"{y.numpy()} is safe: {error}")
    with no_grad():
        print("recorded under no_grad:", (w * x).requires_grad)


if __name__ == "__main__":
    analyze_guards()

# %% [markdown]
r"""
## Trust, but measure the slope

How would you know that a rule is right? Nudge one input up and down by $\varepsilon$ and see how far the result moves:

$$\frac{\partial f}{\partial x_i} \approx \frac{f(x + \varepsilon e_i) - f(x - \varepsilon e_i)}{2\varepsilon}$$

The two-sided form errs by about $\varepsilon^2$, the one-sided one by $\varepsilon$. Smaller is better, until rounding takes over. This costs two
evaluations *per input*, so nobody trains with it; but it needs no rule, so everybody tests with it.
"""


# %% nbgrader={"grade": false, "grade_id": "numerical-gradient", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def numerical_gradient(function: Callable, x: np.ndarray, eps: float = 1e-6) -> np.ndarray:
    """Measure the slope of function(x), a single number, in the direction of each element of x.

    Args:
        function: takes an array, returns a number.
        x: float64 array; the same on return as before.
        eps: size of the step.

    Returns:
        float64 array of the shape of x.

    TODO: central differences, one element at a time.
    APPROACH: 1. walk over np.ndindex(x.shape)  2. set x[i] to old + eps and old - eps
              3. put the old value back
    EXAMPLE:
        >>> numerical_gradient(lambda x: (x**3).sum(), np.array([1.0, 2.0])).round(4)
        array([ 3., 12.])

    HINT: keep `old = x[i]` before you touch it.
    """
    ### BEGIN SOLUTION
    slope = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        old = x[i]
        x[i] = old + eps
        up = function(x)
        x[i] = old - eps
        down = function(x)
        x[i] = old
        slope[i] = (up - down) / (2 * eps)
    return slope
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-numerical-gradient", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_numerical_gradient():
    """Slopes that are known on paper, and an input that comes back unchanged."""
    x = np.array([[1.0, 2.0], [3.0, -1.0]])
    check_close(lambda: numerical_gradient(lambda v: (v * v).sum(), x), 2 * x)
    check_close(lambda: numerical_gradient(np.sum, x), np.ones((2, 2)))
    before = [1.0, -2.0]
    after = np.array(before)
    check_equal(lambda: (numerical_gradient(np.sum, after), after.tolist())[1], before)
    ### BEGIN HIDDEN TESTS
    check_close(
        lambda: numerical_gradient(lambda v: float(v[0] * v[1]), np.array([3.0, 5.0])), [5, 3]
    )
    check_close(
        lambda: numerical_gradient(lambda v: float((v**3).sum()), np.array([2.0]), eps=0.1), [12.01]
    )
    check_close(lambda: numerical_gradient(lambda v: float(np.sin(v)), np.array(0.0)), 1.0)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_numerical_gradient()

# %% [markdown]
r"""
How small is small enough? Guess for both forms at which step the error is least, then look. (In theory the square root of the rounding error for one,
its cube root for the other: Press et al., *Numerical Recipes*, 3rd ed. 2007, section 5.7. A float64 rounds at $10^{-16}$.)
"""


# %%
def analyze_step():
    """The largest error of both differences for the slope of e^x, by the size of the step."""
    steps = 10.0 ** np.arange(-11, 0)
    x = np.linspace(0.5, 1.5, 20)
    slopes = np.exp(x)
    one_sided = [np.abs((np.exp(x + h) - np.exp(x)) / h - slopes).max() for h in steps]
    two_sided = [
        np.abs(numerical_gradient(lambda v: np.exp(v).sum(), x, h) - slopes).max() for h in steps
    ]
    best = [f"{steps[int(np.argmin(errors))]:.0e}" for errors in (one_sided, two_sided)]
    print(f"the error is least for the one-sided form at {best[0]}, for the two-sided at {best[1]}")
    fig, ax = plt.subplots(figsize=(5, 3))
    ax.loglog(steps, one_sided, "s--", label="one-sided")
    ax.loglog(steps, two_sided, "o-", label="two-sided")
    ax.set(xlabel="step", ylabel="largest error of a slope", title="Slopes of exp, float64")
    ax.legend()
    alt = f"Both errors fall with the step, are least at {best[0]} and {best[1]}, and grow again"
    show(fig, alt=alt)


if __name__ == "__main__":
    analyze_step()

# %% [markdown]
r"""
`gradient_check`, folded here, does this for every input of a function of Tensors and compares with what your `backward` says.
From now on, whatever you build can be checked by one line.
"""


# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "gradient-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def gradient_check(
    function: Callable, *arrays: Any, rtol: float = 1e-2, atol: float = 1e-3
) -> None:
    """Compare backward's gradients of function(*Tensors) with measured slopes, for every input.

    The function runs in float32, so the step is large (0.01) and the comparison coarse: a wrong
    rule is off by far more.
    Keep the inputs away from kinks (ReLU at 0, ties of max) by more than the step.

    Args:
        function: takes Tensors, returns a Tensor of any shape.
        arrays: one array for each input.

    Raises:
        AssertionError: names the input and the first element that differs.

    Example:
        >>> gradient_check(lambda a, b: (a * b).exp(), [0.5, 1.0], [0.1, 0.2])
    """
    values = [np.array(x, dtype=np.float64) for x in arrays]
    inputs = [Tensor(x, requires_grad=True) for x in values]
    out = function(*inputs)
    weights = np.random.default_rng(0).uniform(
        0.5, 1.5, size=out.shape
    )  # one number out of many outputs
    out.backward(weights)
    fixed = [Tensor(x) for x in values]
    for k, (x, value) in enumerate(zip(inputs, values, strict=True)):

        def loss(changed: np.ndarray, k: int = k) -> float:
            moved = [*fixed[:k], Tensor(changed), *fixed[k + 1 :]]
            return float((function(*moved).data.astype(np.float64) * weights).sum())

        with no_grad():
            measured = numerical_gradient(loss, value, eps=1e-2)
        got = np.zeros(value.shape) if x.grad is None else x.grad
        wrong = np.argwhere(~np.isclose(got, measured, rtol=rtol, atol=atol))
        if len(wrong):
            at = tuple(int(i) for i in wrong[0])
            raise AssertionError(
                f"input {k}, element {at}: backward gives {got[at]:.6g}, "
                f"the measured slope is {measured[at]:.6g}."
            )


# %% [markdown]
r"""
## Matrix products

For $C = AB$ with $A$ of shape (M, K) and $B$ of shape (K, N), the gradient $G$ of $C$ has shape (M, N). Its two rules can almost be
read off the shapes: which products of $G$, $A$ and $B$ have the shape of $A$? And of $B$?

$$\frac{\partial L}{\partial A_{ik}} = \sum_j G_{ij} B_{kj} \qquad \frac{\partial L}{\partial B_{kj}} = \sum_i A_{ik} G_{ij}$$

For batches the last two axes do this, and the engine undoes any broadcast of the others. (Vectors are a nuisance: they lack an
axis. The wrapper below the cell gives them one, so your rules see matrices only.)
"""


# %% nbgrader={"grade": false, "grade_id": "rules-matmul", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def matmul_grad_a(g: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Gradient of a @ b for a; g has shape (..., M, N), b has (..., K, N); returns (..., M, K)."""
    ### BEGIN SOLUTION
    return g @ b.swapaxes(-1, -2)  # (..., M, N) @ (..., N, K) -> (..., M, K)
    ### END SOLUTION


def matmul_grad_b(g: np.ndarray, a: np.ndarray) -> np.ndarray:
    """Gradient of a @ b for b; g is (..., M, N), a is (..., M, K); returns (..., K, N).

    TODO: both gradients as one matrix product each.
    APPROACH: 1. write down the three shapes  2. transpose what makes them fit
              3. compare with the sums above
    EXAMPLE:
        >>> matmul_grad_b(np.ones((2, 4)), np.ones((2, 3))).shape
        (3, 4)

    HINT: `x.T` turns *all* axes around; for a batch use `x.swapaxes(-1, -2)`.
    """
    ### BEGIN SOLUTION
    return a.swapaxes(-1, -2) @ g  # (..., K, M) @ (..., M, N) -> (..., K, N)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-rules-matmul", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_rules_matmul():
    """Against the sums of the text, on matrices of three different sizes and on a batch."""
    rng = np.random.default_rng(2)
    a, b, g = rng.normal(size=(2, 3)), rng.normal(size=(3, 4)), rng.normal(size=(2, 4))
    check_close(lambda: matmul_grad_a(g, b), np.einsum("ij,kj->ik", g, b))
    check_close(lambda: matmul_grad_b(g, a), np.einsum("ik,ij->kj", a, g))
    ### BEGIN HIDDEN TESTS
    a, b, g = rng.normal(size=(5, 3, 3)), rng.normal(size=(5, 3, 3)), rng.normal(size=(5, 3, 3))
    check_close(lambda: matmul_grad_a(g, b), np.einsum("nij,nkj->nik", g, b))
    check_close(lambda: matmul_grad_b(g, a), np.einsum("nik,nij->nkj", a, g))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_rules_matmul()

# %% [markdown]
r"""
The folded cell registers your two functions, and gives vectors the axis that they lack.
"""


# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "matmul-rules", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def as_matrices(
    g: np.ndarray, a: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give vectors the axis that matmul added: a row on the left, a column on the right."""
    if b.ndim == 1:
        b, g = b[:, None], g[..., None]  # (K,) -> (K, 1), (..., M) -> (..., M, 1)
    if a.ndim == 1:
        a, g = a[None, :], g[..., None, :]  # (K,) -> (1, K), (..., N) -> (..., 1, N)
    return g, a, b


@derivative(matmul, "a")
def matmul_a(g, a, b):
    """Gradient of a @ b for a: G B^T."""
    if a.ndim > 1 and b.ndim > 1:
        return matmul_grad_a(g, b)
    g, left, right = as_matrices(g, a, b)
    return unbroadcast(matmul_grad_a(g, right), left.shape).reshape(a.shape)


@derivative(matmul, "b")
def matmul_b(g, a, b):
    """Gradient of a @ b for b: A^T G."""
    if a.ndim > 1 and b.ndim > 1:
        return matmul_grad_b(g, a)
    g, left, right = as_matrices(g, a, b)
    return unbroadcast(matmul_grad_b(g, left), right.shape).reshape(b.shape)


# %% [markdown]
r"""
## Reductions

A sum hands its gradient to everything that it added up. A mean does the same, divided by the count. A maximum hands it to the
winner. Each needs the folded axes back first, and that is what `restore` does: (4,) becomes (4, 1), ready to broadcast.

Two winners? The maximum of (5, 5) has no derivative, only a fair choice: share.
"""


# %% nbgrader={"grade": false, "grade_id": "restore-axes", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def restore(g: np.ndarray, shape: tuple[int, ...], axis: Any, keepdims: bool) -> np.ndarray:
    """Put a 1 where a reduction over `axis` folded an axis of `shape` away."""
    if keepdims or axis is None:
        return g if keepdims else g.reshape((1,) * len(shape))
    axes = {i % len(shape) for i in ((axis,) if isinstance(axis, int) else axis)}
    return g.reshape(tuple(1 if i in axes else n for i, n in enumerate(shape)))


# %% nbgrader={"grade": false, "grade_id": "rules-reductions", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@derivative(reduce_sum, "x")
def reduce_sum_x(g, input_shape, axis, keepdims):
    """Gradient of a sum: the same for all that was added."""
    ### BEGIN SOLUTION
    return np.broadcast_to(restore(g, input_shape, axis, keepdims), input_shape)
    ### END SOLUTION


@derivative(reduce_mean, "x")
def reduce_mean_x(g, input_shape, axis, keepdims):
    """Gradient of a mean: the sum's, divided by the count."""
    ### BEGIN SOLUTION
    return np.broadcast_to(
        restore(g, input_shape, axis, keepdims) / np.float32(count_reduced(input_shape, axis)),
        input_shape,
    )
    ### END SOLUTION


@derivative(reduce_max, "x")
def reduce_max_x(g, x, out, axis, keepdims):
    """Gradient of a maximum: all to the winner, in equal shares when there are several.

    TODO: the three rules of this cell.
    APPROACH: 1. restore the folded axes  2. np.broadcast_to `input_shape` (sum, mean)
              3. for max: a mask of winners, shared by their number
    EXAMPLE:
        >>> reduce_max_x(np.float32(6), np.float32([1, 5, 5]), np.float32(5), None, False)
        array([0., 3., 3.], dtype=float32)

    HINT: `out` must be restored too before it is compared with x.
          `count_reduced(input_shape, axis)` is the mean's count.
    """
    ### BEGIN SOLUTION
    winners = x == restore(np.asarray(out), x.shape, axis, keepdims)
    share = restore(np.asarray(g), x.shape, axis, keepdims) / winners.sum(
        axis=axis, keepdims=True, dtype=np.float32
    )
    return winners * share
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-rules-reductions", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_rules_reductions():
    """What was folded away gets its gradient back, in the right place."""
    g = np.float32([10, 20])
    check_close(lambda: reduce_sum_x(g, (2, 3), 1, False), [[10] * 3, [20] * 3])
    check_close(lambda: reduce_mean_x(g, (2, 4), 1, False), [[2.5] * 4, [5] * 4])
    ### BEGIN HIDDEN TESTS
    x = np.float32([[1, 7, 7], [9, 2, 3]])
    check_close(lambda: reduce_max_x(g / 4, x, x.max(1), 1, False), [[0, 1.25, 1.25], [5, 0, 0]])
    check_close(
        lambda: reduce_max_x(np.float32([[1, 2, 3]]), x, x.max(axis=0, keepdims=True), 0, True),
        [[0, 2, 3], [1, 0, 0]],
    )
    check_close(lambda: reduce_mean_x(np.float32(6), (2, 3), None, False), np.ones((2, 3)))
    check_close(
        lambda: reduce_sum_x(np.float32([1, 2, 3]), (2, 3, 4), (0, 2), False)[1, :, 3], [1, 2, 3]
    )
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_rules_reductions()

# %% [markdown]
r"""
## Activations: let `out` do the work

For three of your activations the derivative is cheapest from the *output*: $\sigma' = \sigma(1 - \sigma)$ and $\tanh' = 1 - \tanh^2$
need no second exponential, and ReLU's output already shows where it was open. At exactly 0 ReLU has no slope; we take 0, as PyTorch does.
"""


# %% nbgrader={"grade": false, "grade_id": "rules-activations", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@derivative(relu, "x")
def relu_x(g, out):
    """Gradient of max(x, 0), from the output."""
    ### BEGIN SOLUTION
    return g * (out > 0)
    ### END SOLUTION


@derivative(sigmoid, "x")
def sigmoid_x(g, out):
    """Gradient of 1 / (1 + e^-x), from the output."""
    ### BEGIN SOLUTION
    return g * out * (1 - out)
    ### END SOLUTION


@derivative(tanh, "x")
def tanh_x(g, out):
    """Gradient of tanh x, from the output.

    TODO: the three rules of this cell, one line each, without calling exp or tanh.
    APPROACH: 1. write the slope with `out` only  2. multiply by g
    EXAMPLE:
        >>> relu_x(np.float32([5, 5]), np.float32([0, 3]))
        array([0., 5.], dtype=float32)

    HINT: a comparison gives booleans, and a float32 array times booleans stays float32.
    """
    ### BEGIN SOLUTION
    return g * (1 - out * out)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-rules-activations", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_rules_activations():
    """Slopes from a small step, and a dead ReLU that stays exactly 0."""
    x, g, step = np.array([-2.0, -0.3, 0.4, 1.5]), np.array([1.0, -2.0, 3.0, 0.5]), 1e-6
    out = np.maximum(x, 0)
    check_close(lambda: relu_x(g, out), [0, 0, 3, 0.5])
    out, more = 1 / (1 + np.exp(-x)), 1 / (1 + np.exp(-x - step))
    check_close(lambda: sigmoid_x(g, out), g * (more - out) / step)
    ### BEGIN HIDDEN TESTS
    out = np.tanh(x)
    check_close(lambda: tanh_x(g, out), g * (np.tanh(x + step) - out) / step)
    check_close(lambda: relu_x(np.float32([4.0]), np.float32([0.0])), [0.0])
    check_equal(lambda: relu_x(np.float32([4.0]), np.float32([1.0])).dtype.name, "float32")
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_rules_activations()

# %% [markdown]
r"""
### Softmax: every output depends on every input

With $s = \mathrm{softmax}(x)$ the slopes form a matrix, $\partial s_i/\partial x_j = s_i(\delta_{ij} - s_j)$, which nobody wants to build: for 50,000
classes it has 2.5 billion entries per row. Multiply it by $g$ on paper first. What remains is one sum along the axis:

$$\frac{\partial L}{\partial x_j} = \sum_i g_i\, s_i(\delta_{ij} - s_j) = s_j \Big(g_j - \sum_i g_i s_i\Big)$$

Do the same for $\log\mathrm{softmax}$, whose slopes are $\delta_{ij} - s_j$; there `out` is $\log s$.
"""


# %% nbgrader={"grade": false, "grade_id": "rules-softmax", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@derivative(softmax, "x")
def softmax_x(g, out, axis):
    """Gradient of softmax along `axis`, from the output."""
    ### BEGIN SOLUTION
    return out * (g - (g * out).sum(axis=axis, keepdims=True))
    ### END SOLUTION


@derivative(log_softmax, "x")
def log_softmax_x(g, out, axis):
    """Gradient of log softmax along `axis`, from the output.

    TODO: both rules, without building a matrix of slopes.
    APPROACH: 1. multiply the slopes by g on paper  2. one sum along `axis` with keepdims=True
    EXAMPLE:
        >>> softmax_x(np.float32([1, 1]), np.float32([0.5, 0.5]), -1)
        array([0., 0.], dtype=float32)

    HINT: softmax is np.exp(out) in the second rule.
    """
    ### BEGIN SOLUTION
    return g - np.exp(out) * g.sum(axis=axis, keepdims=True)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-rules-softmax", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_rules_softmax():
    """Against the full matrix of slopes of each row, and along another axis."""
    rng = np.random.default_rng(3)
    s, g = rng.dirichlet(np.ones(3), size=3), rng.normal(size=(3, 3))  # three rows of three
    expected = [(np.diag(p) - np.outer(p, p)) @ row for p, row in zip(s, g, strict=True)]
    check_close(lambda: softmax_x(g, s, -1), expected)
    expected = [row - p * row.sum() for p, row in zip(s, g, strict=True)]
    check_close(lambda: log_softmax_x(g, np.log(s), -1), expected)
    ### BEGIN HIDDEN TESTS
    s, g = rng.dirichlet(np.ones(5), size=4).T, rng.normal(size=(5, 4))
    pairs = list(zip(s.T, g.T, strict=True))
    expected = np.stack([(np.diag(p) - np.outer(p, p)) @ up for p, up in pairs], axis=1)
    check_close(lambda: softmax_x(g, s, 0), expected)
    check_close(lambda: log_softmax_x(g, np.log(s), 0), g - s * g.sum(0))
    check_close(lambda: softmax_x(g.T, s.T, 1), expected.T)
    check_close(lambda: softmax_x(g.T[0], s.T[0], -1), expected[:, 0])
    check_close(lambda: log_softmax_x(g.T, np.log(s.T), 1), (g - s * g.sum(0)).T)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_rules_softmax()

# %% [markdown]
r"""
## The layer and its loss

`linear` computes $y = x W^\top + b$. You know its rules already: a matmul with a transpose in it, and a broadcast that must be undone.

Cross-entropy is where softmax pays off. The loss of one row with label $t$ is $-\log p_t$, and its gradient for the logits
collapses into **what the model said minus what was true**: $p - \mathrm{onehot}(t)$, divided by the number of rows because the loss is a mean.
The forward kept $p$ as `saved`, so not a single exponential is left to compute.
"""


# %% nbgrader={"grade": false, "grade_id": "rules-linear", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@derivative(linear, "x")
def linear_x(g, weight):
    """Gradient for x: g is (..., out), weight is (out, in); returns (..., in)."""
    ### BEGIN SOLUTION
    return g @ weight  # (..., out) @ (out, in) -> (..., in)
    ### END SOLUTION


@derivative(linear, "weight")
def linear_weight(g, x):
    """Gradient for weight: g is (..., out), x is (..., in); returns (out, in).

    TODO: both rules, one matrix product each.
    APPROACH: 1. flatten all leading axes into one: rows
              2. the product of g and x that has the shape (out, in)
    EXAMPLE:
        >>> linear_weight(np.ones((5, 2)), np.ones((5, 3))).shape
        (2, 3)

    HINT: reshape(prod(x.shape[:-1]), n) flattens, also where a size is 0. `(x.T @ g).T` equals
          `g.T @ x` and lies in memory as Linear's weight does: the update is faster.
    """
    ### BEGIN SOLUTION
    N = prod(x.shape[:-1])
    rows_g, rows_x = g.reshape(N, g.shape[-1]), x.reshape(N, x.shape[-1])  # (N, out), (N, in)
    return (rows_x.T @ rows_g).T  # ((in, N) @ (N, out)).T -> (out, in)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-rules-linear", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_rules_linear():
    """Shapes and values for rows, and for a batch of sequences."""
    rng = np.random.default_rng(4)
    x, w, g = rng.normal(size=(6, 3)), rng.normal(size=(2, 3)), rng.normal(size=(6, 2))
    check_close(lambda: linear_x(g, w), np.einsum("no,oi->ni", g, w))
    check_close(lambda: linear_weight(g, x), np.einsum("no,ni->oi", g, x))
    ### BEGIN HIDDEN TESTS
    x, g = rng.normal(size=(4, 5, 3)), rng.normal(size=(4, 5, 2))
    check_close(lambda: linear_x(g, w), np.einsum("bto,oi->bti", g, w))
    check_close(lambda: linear_weight(g, x), np.einsum("bto,bti->oi", g, x))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_rules_linear()


# %% nbgrader={"grade": false, "grade_id": "rule-cross-entropy", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@derivative(cross_entropy, "logits")
def cross_entropy_logits(g, saved, target, input_shape):
    """Gradient of the mean cross-entropy for the logits.

    Args:
        g: gradient of the loss, a single number.
        saved: probabilities p, float32, shape (N, C); kept for you alone, so you may write into it.
        target: labels, N whole numbers in any shape.
        input_shape: shape of the logits, (..., C) with N rows.

    Returns:
        array of shape `input_shape`.

    TODO: (p - onehot(target)) / N, times g.
    APPROACH: 1. subtract 1 at each row's label  2. scale by g / N  3. reshape
    EXAMPLE:
        >>> cross_entropy_logits(np.float32(1), np.float32([[0.25, 0.75]]), [1], (1, 2))
        array([[ 0.25, -0.25]], dtype=float32)

    HINT: p[np.arange(N), labels] picks one number per row; labels must be integers:
          np.asarray(target).astype(int)
    """
    ### BEGIN SOLUTION
    labels = np.asarray(target).astype(np.intp).reshape(-1)
    n = len(labels)
    saved[np.arange(n), labels] -= 1
    saved *= g / np.float32(n)
    return saved.reshape(input_shape)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-rule-cross-entropy", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_rule_cross_entropy():
    """What the model said minus what was true, over N."""
    p = np.float32([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]])
    expected = [[0.1, 0.15, -0.25], [-0.2, 0.15, 0.05]]
    check_close(lambda: cross_entropy_logits(np.float32(1), p.copy(), [2, 0], (2, 3)), expected)
    ### BEGIN HIDDEN TESTS
    p = np.random.default_rng(5).dirichlet(np.ones(4), size=6).astype(np.float32)
    target = np.array([[0, 3, 1], [2, 2, 0]])
    expected = ((p - np.eye(4)[target.reshape(-1)]) * 3 / 6).reshape(2, 3, 4)
    check_close(lambda: cross_entropy_logits(np.float32(3), p.copy(), target, (2, 3, 4)), expected)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_rule_cross_entropy()

# %% [markdown]
r"""
## Three that only move numbers

`clip` holds a number between two bounds: a number that was cut no longer moves with its input. `permute` reorders axes, so its rule must find the
order that leads *back*; try (1, 2, 0) on paper, since with two axes you cannot tell the difference. And `index` picks elements: its gradient goes to the
places that were picked, over a field of zeros. If one place was picked twice, it acted twice.
"""


# %% nbgrader={"grade": false, "grade_id": "given-picks-twice", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def may_repeat(key: Any) -> bool:
    """Whether x[key] may pick an element twice: only lists and arrays of places can."""
    parts = key if isinstance(key, tuple) else (key,)
    lists = [part for part in parts if isinstance(part, list | tuple | np.ndarray)]
    return any(np.asarray(part).dtype != bool for part in lists)


# %% nbgrader={"grade": false, "grade_id": "rules-movers", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@derivative(clip, "x")
def clip_x(g, x, low, high):
    """Gradient of clip: 1 inside the bounds and on them, 0 outside; a bound may be None."""
    ### BEGIN SOLUTION
    inside = np.ones(x.shape, dtype=bool)
    if low is not None:
        inside &= x >= low
    if high is not None:
        inside &= x <= high
    return g * inside
    ### END SOLUTION


@derivative(permute, "x")
def permute_x(g, axes):
    """Gradient of x.transpose(axes): the axes put back into their old order."""
    ### BEGIN SOLUTION
    return g.transpose(np.argsort([axis % g.ndim for axis in axes]))
    ### END SOLUTION


@derivative(index, "x")
def index_x(g, input_shape, key):
    """Gradient of x[key]: g at the places that were picked, 0 elsewhere.

    TODO: the three rules of this cell.
    APPROACH: 1. a mask  2. where did axis 0 go, where axis 1?  3. float32 zeros, then g at [key]
    EXAMPLE:
        >>> index_x(np.float32([1, 10, 100]), (3,), np.array([0, 2, 2]))
        array([  1.,   0., 110.], dtype=float32)

    HINT: grad[key] = g keeps the last of two; np.add.at(grad, key, g) adds them, more slowly.
          may_repeat(key) says which is due.
    """
    ### BEGIN SOLUTION
    grad = np.zeros(input_shape, dtype=np.float32)
    if may_repeat(key):
        np.add.at(grad, key, g)
    else:
        grad[key] = g
    return grad
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-rules-movers", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_rules_movers():
    """Cut numbers stand still, axes find back, and what was picked twice is paid twice."""
    g = np.float32([1, 10, 100])
    check_close(lambda: clip_x(g, np.float32([-5, 0, 5]), -1, 1), [0, 10, 0])
    cube = np.arange(24).reshape(2, 3, 4)
    check_close(lambda: permute_x(cube.transpose(1, 2, 0), (1, 2, 0)), cube)
    check_close(lambda: index_x(g, (3,), np.array([0, 2, 2])), [1, 0, 110])
    ### BEGIN HIDDEN TESTS
    check_close(lambda: clip_x(g, np.float32([-5, 0, 5]), None, 0), [1, 10, 0])
    check_close(lambda: clip_x(g, np.float32([-5, 0, 5]), 0, None), [0, 10, 100])
    check_close(lambda: permute_x(cube.transpose(2, 0, 1), (-1, 0, 1)), cube)
    check_close(lambda: index_x(g, (2, 3), 1), [[0, 0, 0], [1, 10, 100]])
    check_close(lambda: index_x(g, (2, 3), (0, slice(None, None, -1))), [[100, 10, 1], [0, 0, 0]])
    rows, columns = np.array([1, 1, 0]), np.array([2, 2, 0])
    check_close(lambda: index_x(g, (2, 3), (rows, columns)), [[100, 0, 0], [0, 0, 11]])
    check_equal(lambda: index_x(g, (5,), slice(0, 3)).dtype.name, "float32")
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_rules_movers()

# %% [markdown]
r"""
The rest of the table brings no new idea and is folded: `exp`, `log`, `sqrt`, `abs`, powers, the variance, `reshape`, `expand`, `cat`, GELU, the bias of a
linear layer, the other losses, and `where`, `maximum` and `norm`.
"""


# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "more-rules", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@derivative(exp, "x")
def exp_x(g, out):
    """d e^x/dx = e^x."""
    return g * out


@derivative(log, "x")
def log_x(g, x):
    """d log x/dx = 1/x."""
    return g / x


@derivative(sqrt, "x")
def sqrt_x(g, out):
    """d sqrt(x)/dx = 1 / (2 sqrt(x))."""
    return g / (out + out)


@derivative(absolute, "x")
def absolute_x(g, x):
    """d |x|/dx = sign(x), 0 at 0."""
    return g * np.sign(x)


@derivative(power, "x")
def power_x(g, x, exponent):
    """d x^n/dx = n x^(n-1)."""
    if type(exponent) is int and exponent in {2, 3}:
        return g * x * 2 if exponent == 2 else g * x * x * 3
    return np.where(
        exponent == 0,
        0,
        g * exponent * x ** np.where(exponent == 0, 1, exponent - 1).astype(np.float32),
    )


@derivative(power, "exponent")
def power_exponent(g, x, out):
    """d x^n/dn = x^n log x, 0 at x = 0."""
    return g * out * np.log(np.where(x > 0, x, 1))


@derivative(reduce_var, "x")
def reduce_var_x(g, x, axis, keepdims):
    """d var/dx = 2 (x - mean) / n."""
    n = np.float32(count_reduced(x.shape, axis))
    return restore(g, x.shape, axis, keepdims) * (x - x.mean(axis=axis, keepdims=True)) * (2 / n)


@derivative(reshape, "x")
def reshape_x(g, input_shape):
    """The same numbers in the old shape."""
    return g.reshape(input_shape)


@derivative(expand, "x")
def expand_x(g):
    """The engine sums over the axes that were stretched."""
    return g


@derivative(concatenate, "blocks")
def concatenate_block(g, saved, axis, position):
    """The slice of g that came from the block at `position`."""
    place = [slice(None)] * g.ndim
    place[axis] = slice(saved[position], saved[position + 1])
    return g[tuple(place)]


@derivative(gelu, "x")
def gelu_x(g, x, saved):
    """With t = tanh(u), u = s (x + c x^3): (1 + t)/2 + x (1 - t^2) u'/2, u' = s (1 + 3 c x^2)."""
    slope = x * x
    slope *= 3 * GELU_SCALE * GELU_CUBE
    slope += GELU_SCALE  # u'
    slope *= x
    slope *= 1 - saved * saved
    slope += saved
    slope += 1
    slope *= np.float32(0.5)
    slope *= g
    return slope


@derivative(linear, "bias")
def linear_bias(g):
    """Sum over the rows, as a product with a row of ones, which BLAS does."""
    rows = g.reshape(prod(g.shape[:-1]), g.shape[-1])  # (N, out)
    return np.ones(len(rows), dtype=np.float32) @ rows  # (N,) @ (N, out) -> (out,)


@derivative(mse_loss, "prediction")
def mse_loss_prediction(g, prediction, target):
    """d mean((p - t)^2)/dp = 2 (p - t) / n."""
    return (prediction - target) * (g * 2 / np.float32(prediction.size))


@derivative(mse_loss, "target")
def mse_loss_target(g, prediction, target):
    """d mean((p - t)^2)/dt = 2 (t - p) / n."""
    return (target - prediction) * (g * 2 / np.float32(prediction.size))


@derivative(binary_cross_entropy, "prediction")
def binary_cross_entropy_prediction(g, prediction, target):
    """(p - t) / (p (1 - p)) / n, the divisor held above 1e-12 as in torch.nn.BCELoss."""
    spread = np.maximum(prediction * (1 - prediction), np.float32(1e-12))
    return (prediction - target) / spread * (g / np.float32(prediction.size))


@derivative(binary_cross_entropy_with_logits, "logits")
def binary_cross_entropy_with_logits_logits(g, logits, target):
    """(sigmoid(x) - t) / n: the exponential of the one and the logarithm of the other cancel."""
    return (sigmoid.__wrapped__(logits) - target) * (g / np.float32(logits.size))


@derivative(choose, "a")
def choose_a(g, condition):
    """The gradient passes where a was taken."""
    return np.where(condition, g, np.float32(0))


@derivative(choose, "b")
def choose_b(g, condition):
    """The gradient passes where b was taken."""
    return np.where(condition, np.float32(0), g)


@derivative(maximum, "a")
def maximum_a(g, a, b):
    """1 where a is larger, a half where both are equal."""
    return g * np.float32(0.5) * (np.greater(a, b).astype(np.int8) + np.greater_equal(a, b))


@derivative(maximum, "b")
def maximum_b(g, a, b):
    """1 where b is larger, a half where both are equal."""
    return g * np.float32(0.5) * (np.greater(b, a).astype(np.int8) + np.greater_equal(b, a))


@derivative(euclidean_norm, "x")
def euclidean_norm_x(g, x, out, axis, keepdims):
    """d |x|/dx = x / |x|, 0 at 0."""
    length = restore(np.asarray(out), x.shape, axis, keepdims)
    return restore(np.asarray(g), x.shape, axis, keepdims) * x / np.where(length == 0, 1, length)


# %% [markdown]
r"""
The table is complete. Here is the loss of a whole network: two layers, a ReLU and the cross-entropy. Follow it from right to left as your
`backward` does. Which box lets the least of a gradient through?
"""


# %%
def analyze_loss():
    """Draw the graph of a loss."""
    rng = np.random.default_rng(0)
    W1, W2 = (Tensor(rng.normal(size=shape), requires_grad=True) for shape in ((8, 4), (3, 8)))
    b1, b2 = (Tensor(np.zeros(n), requires_grad=True) for n in (8, 3))
    x = Tensor(rng.normal(size=(5, 4)))
    logits = linear(relu(linear(x, W1, b1)), W2, b2)  # (5, 4) -> (5, 8) -> (5, 3)
    draw_graph(cross_entropy(logits, [0, 2, 1, 1, 0]), W1=W1, b1=b1, W2=W2, b2=b2)


if __name__ == "__main__":
    analyze_loss()

# %% [markdown]
r"""
## Operations of your own

From the next module on you will write operations whose derivative belongs right beside them: a convolution, an attention head. `Function`
is the place, with PyTorch's contract: `forward` leaves what it needs on `ctx`, `backward` takes the gradient of the output and returns one
gradient per input. Unlike a table of rules, it can share work between the inputs.

```
class Cube(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.x = x
        return x * x * x

    @staticmethod
    def backward(ctx, g):
        return g * 3 * ctx.x * ctx.x
```

`Cube.apply(x)` runs it and leaves a node; the folded cell shows how.
"""


# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "function-class", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Context:
    """What a Function's forward leaves for its backward: any attribute that you set.

    needs_input_grad: for each input, whether its gradient is wanted; else backward may return None.
    """

    def __init__(self, needs_input_grad: tuple[bool, ...]) -> None:
        self.needs_input_grad = needs_input_grad


class SharedRule:
    """A Function's backward as a derivative rule: run once per node, then asked for each input."""

    def __init__(self, function: type, context: Context) -> None:
        self.function, self.context = function, context
        self.__name__ = f"{function.__name__}.backward"
        self.partials: list | None = None

    def __call__(self, g: np.ndarray, position: int, shape: tuple[int, ...]) -> np.ndarray:
        if self.partials is None:
            g.setflags(False)  # others may hold it too: a backward that writes into g gets an error
            answer = self.function.backward(self.context, g)
            self.partials = self.checked(list(answer) if isinstance(answer, tuple) else [answer])
            del self.context
        partial, self.partials[position] = self.partials[position], None
        if partial is None:
            return np.zeros(shape, dtype=np.float32)
        if any(np.may_share_memory(partial, other) for other in self.partials if other is not None):
            return partial.copy()  # the same memory for two inputs: each gets its own
        return partial

    def checked(self, partials: list) -> list:
        """Refuse an answer that cannot be meant.

        Raises:
            TypeError: no answer at all, or not one gradient for each input.
        """
        needs = self.context.needs_input_grad
        if all(partial is None for partial in partials):
            raise TypeError(
                f"{self.__name__} returned no gradient, though {sum(needs)} of {len(needs)} inputs "
                "need one: is a `return` missing?"
            )
        if len(partials) != len(needs):
            raise TypeError(
                f"{self.__name__} returned {len(partials)} gradients for {len(needs)} inputs: "
                "one for each, None where none is needed."
            )
        return [partial._data if isinstance(partial, Tensor) else partial for partial in partials]


class Function:
    """An operation with its own backward; subclass it and call `apply`.

    Example:
        >>> class Cube(Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         ctx.x = x
        ...         return x * x * x
        ...     @staticmethod
        ...     def backward(ctx, g):
        ...         return g * 3 * ctx.x * ctx.x
        >>> x = Tensor(2.0, requires_grad=True)
        >>> Cube.apply(x).backward()
        >>> x.grad
        array(12., dtype=float32)
    """

    @staticmethod
    def forward(ctx: Context, *arrays: np.ndarray, **options: Any) -> np.ndarray:
        """Compute the result from float32 arrays."""
        raise NotImplementedError("a Function needs a forward(ctx, ...)")

    @staticmethod
    def backward(ctx: Context, g: np.ndarray) -> Any:
        """Return each input's gradient or None; it may write into ctx's arrays."""
        raise NotImplementedError("a Function needs a backward(ctx, g)")

    @classmethod
    def apply(cls, *inputs: Any, **options: Any) -> Tensor:
        """Run forward on the inputs' arrays and leave a node on the result.

        Raises:
            TypeError: a Tensor among the options, or a forward without a result.
        """
        options = own_options(cls.__name__, options) if options else options
        arrays = [x._data if isinstance(x, Tensor) else own(x) for x in inputs]
        tracked = any(isinstance(x, Tensor) and x._requires_grad for x in inputs)
        held = engine.hold(inputs, arrays) if tracked else None
        needs = tuple(
            held is not None and isinstance(x, Tensor) and x._requires_grad for x in inputs
        )
        context = Context(needs)
        result = cls.forward(context, *arrays, **options)
        if result is None:
            raise TypeError(
                f"{cls.__name__}.forward returned None, not an array: is a `return` missing?"
            )
        out = wrap(result.view() if any(result is array for array in arrays) else result)
        if held is not None:
            rule = SharedRule(cls, context)
            edges = [
                (x._grad_fn or x, x.shape, rule, (i, x.shape))
                for i, x in enumerate(inputs)
                if needs[i]
            ]
            Node(cls.__name__, edges, held, out)
        return out


# %% [markdown]
r"""
## Measure: what does the graph cost?

Three predictions. A training step runs forward, backward and an update: how many times the cost of a forward pass will the first two be? (Count matrix
products: the forward has one per layer.) How much memory does the graph of a deep network hold, against the same pass under `no_grad`? And what does
recording add to one small operation?
"""


# %%
def analyze_backward():
    """Time of forward and of forward + backward, and peak memory, for MLPs of growing depth."""
    from tinytorch.core.layers import Linear

    depths, rng = [1, 2, 4, 8, 16], np.random.default_rng(0)
    x = Tensor(rng.normal(size=(256, 256)))
    ratio, kept, bare = [], [], []
    for depth in depths:
        layers = [Linear(256, 256) for _ in range(depth)]

        def forward(layers=layers):
            h = x
            for layer in layers:
                h = relu(layer(h))
            return h.mean()

        def step(forward=forward):
            forward().backward()

        def quiet(forward=forward):
            with no_grad():
                forward()

        times = compare({"step": step, "forward": quiet}, samples=7)
        ratio.append(times["step"].low_ms / times["forward"].low_ms)
        kept.append(peak_bytes(forward) / 2**20)
        bare.append(peak_bytes(quiet) / 2**20)
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3))
    left.plot(depths, ratio, "o-")
    left.axhline(3, linestyle="--", color="grey")
    left.set(xlabel="layers", ylabel="(forward + backward) / forward", title="Time", ylim=(0, None))
    right.plot(depths, kept, "o-", label="recorded")
    right.plot(depths, bare, "s--", label="no_grad")
    right.set(xlabel="layers", ylabel="peak memory [MiB]", title="Memory of one forward pass")
    right.legend()
    print(
        f"16 layers: {ratio[-1]:.2f} times a forward pass; "
        f"{kept[-1]:.1f} MiB recorded, {bare[-1]:.1f} MiB under no_grad"
    )
    show(
        fig,
        alt=f"Left: forward and backward take {min(ratio):.1f} to {max(ratio):.1f} times a forward "
        "pass. Right: memory by depth, recorded and under no_grad",
    )


if __name__ == "__main__":
    analyze_backward()


# %%
def analyze_recording():
    """The price of one small operation, without and with a graph."""
    a, b, array = Tensor(np.ones(4), requires_grad=True), Tensor(np.ones(4)), np.ones(4, np.float32)
    ways = {"NumPy": lambda: array * array, "plain": lambda: b * b, "recorded": lambda: a * b}
    us = {name: timing.low_ms * 1e3 for name, timing in compare(ways).items()}
    print(
        f"a * b on 4 elements: NumPy {us['NumPy']:.2f} us, as a Tensor {us['plain']:.2f} us, "
        f"recorded {us['recorded']:.2f} us: recording adds {us['recorded'] - us['plain']:.2f} us"
    )


if __name__ == "__main__":
    analyze_recording()

# %% [markdown]
r"""
Forward has one matrix product per layer, backward two (one for the weights, one for the input), so where products are all that counts, the ratio is 3. The
first layer needs no gradient for its input and has one product less. If your ratio is below 3, calls, the ReLU and the mean weigh more in the forward pass
than in the backward; if it is above 3, the rest of the backward pass (the walk, the sums for the biases, the masks, memory) weighs more. In theory the
gradient costs at most a small constant times the function, whatever the program: the *cheap gradient principle* (Griewank and Walther, *Evaluating Derivatives*, 2008, chapter 3).

Memory is the true price. Without a graph a layer's output can be dropped when the next one is done; with it, everything waits for the walk back. So
people recompute instead of keeping (Chen et al., *Training deep nets with sublinear memory cost*, 2016), or keep smaller numbers.
"""

# %% [markdown]
r"""
## The whole module

A network learns to read the digits by plain gradient descent, and nobody writes a derivative for it. Here is the model; the test does the rest.
"""

# %% nbgrader={"grade": false, "grade_id": "digits-mlp", "locked": true, "schema_version": 3, "solution": false, "task": false}
from tinytorch.core.layers import Linear, Module


class DigitsMLP(Module):
    """64 pixels, 32 hidden units, 10 classes."""

    def __init__(self):
        self.hidden = Linear(64, 32)
        self.output = Linear(32, 10)

    def forward(self, x):
        h = relu(self.hidden(x))  # (B, 64) -> (B, 32)
        return self.output(h)  # (B, 32) -> (B, 10)


def train_digits(steps: int, lr: float, seed: int) -> DigitsMLP:
    """Train a network on the first 1,400 digits."""
    from tinytorch.core.tensor import manual_seed

    manual_seed(seed)
    pixels, labels = load_digits()
    images, digits = Tensor(pixels[:1400]), labels[:1400]
    model = DigitsMLP()
    for _ in range(steps):
        cross_entropy(model(images), digits).backward()
        for parameter in model.parameters():
            parameter.data -= np.float32(lr) * parameter.grad
            parameter.zero_grad()
    return model


def share_right(model: DigitsMLP) -> float:
    """The share of the last 397 digits that a network reads rightly."""
    pixels, labels = load_digits()
    with no_grad():
        guesses = model(Tensor(pixels[1400:])).argmax(axis=1)
    return float((guesses == labels[1400:]).mean())


# %% nbgrader={"grade": true, "grade_id": "test-module-autograd", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_module():
    """Gradients of a whole model agree with measured slopes, and descent on them learns digits."""
    rng = np.random.default_rng(7)
    x, w, b = rng.normal(size=(2, 3)), rng.normal(size=(3, 3)), rng.normal(size=3)
    target = [0, 2]
    gradient_check(lambda x, w, b: cross_entropy(tanh(linear(x, w, b)), target), x, w, b)
    model = train_digits(steps=45, lr=0.5, seed=0)
    check_equal(lambda: share_right(model) > 0.85, True)
    ### BEGIN HIDDEN TESTS
    a, b = rng.uniform(0.5, 1.5, size=(2, 3)), rng.uniform(0.5, 1.5, size=(3,))
    gradient_check(
        lambda a, b: (a / b).sum(axis=1, keepdims=True) * a + softmax(a * b, axis=0), a, b
    )
    gradient_check(
        lambda a, b: (a @ b.reshape(3, 1)).mean() + sigmoid(a).max(axis=1).sum(),
        a + np.arange(3),
        b,
    )
    with no_grad():
        y = Tensor([1.0], requires_grad=True) * 2
    check_equal(lambda: y.requires_grad, False)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_module()

# %% [markdown]
r"""
**Question.** Your graph frees each node as the walk passes it. A friend proposes to keep all of them, so that `backward` can be called twice. What does
it cost during one training step of a deep network, and what would you offer your friend instead?
"""

# %% [markdown] nbgrader={"grade": true, "grade_id": "q-release", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
r"""
While the walk goes back, gradients grow and saved values shrink; released nodes make room for the gradients, so the peak stays near that of the
forward pass. Keeping every node adds both, up to twice the memory. Two losses can be added before one backward, which gives the same gradients
because differentiation is linear; or the forward pass can be run again.
"""

# %% [markdown]
r"""
**To think about.** `relu_x` needs only a yes or no per element, but `out` is kept as 4 bytes. Who else keeps it anyway?

Gradients tell you the direction. How far to go, and whether to trust yesterday's direction too, is the subject of **Module 06: Optimizers**.
"""
