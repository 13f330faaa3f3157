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
# Module 14: Profiling

Your GPT takes some milliseconds for a step. Which of its layers takes them, is that much or little for the work it does, and what would have to change for it to be less? Today you build
the instruments that answer: one counts the work, one watches every layer, one times, one weighs, and a picture says how far from this machine's limits each layer runs.

**Needs** `Tensor` (01), activations (02), layers (03), losses (04), `no_grad` (05), images (09), embeddings (11), attention (12), `GPT` (13) | **Exports** `tinytorch.profiling.profiler` | **About** 5 hours | **Points** 80

The two folded cells below import what this page needs.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| default_exp profiling.profiler
#| export
import io
import json
import time
import traceback
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from tinytorch.core.activations import GELU, Activation, ReLU, Sigmoid, Softmax, Tanh
from tinytorch.core.attention import MultiHeadAttention
from tinytorch.core.autograd import Node, no_grad, owner_of, topological_order
from tinytorch.core.layers import Dropout, Identity, Linear, Module, Parameter, members
from tinytorch.core.losses import (
    BCEWithLogitsLoss, BinaryCrossEntropyLoss, CrossEntropyLoss, MSELoss,
)
from tinytorch.core.spatial import (
    AdaptiveAvgPool2d, AvgPool2d, BatchNorm2d, Conv2d, Flatten, MaxPool2d, pair,
)
from tinytorch.core.tensor import FLOAT32, Tensor, generator, raw, wrap
from tinytorch.models.transformer import GPT, Bigram, FeedForward, LayerNorm, TransformerBlock
from tinytorch.text.embeddings import Embedding, PositionalEncoding

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "page-imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
import matplotlib.pyplot as plt  # this page only: tests, plots and measurements are not exported

from tinytorch.core.tensor import keep_freed_memory
from tito.lab import bench, check_close, check_equal, show

# %% [markdown]
r"""
## A number that counts itself

How much arithmetic is one layer? Before any formula, ask the numbers. NumPy multiplies arrays of *any* objects, as long as they can be added and multiplied: it calls their `__add__` and `__mul__`.
So let a number note each time that it is used. A sum of three products, on paper first: how many multiplications, how many additions?

```
start + a*x + b*y + c*z          the sum starts at `start`, for example a bias
```

Three and three: **a multiply-add is 2 FLOPs** (floating-point operations), the rule of this whole page.
"""


# %% nbgrader={"grade": false, "grade_id": "counted", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class Counted:
    """A number that counts additions and multiplications, those of all its kind, in `done`.

    TODO: `__add__` and `__mul__`: note one more operation, and answer with a Counted.
    APPROACH: 1. raise the count of the class, `Counted.done`  2. compute with both numbers' values
    EXAMPLE:
        >>> Counted.done = 0
        >>> product = Counted(3) * Counted(4)
        >>> product.value, Counted.done
        (12.0, 1)

    HINT: `other` may be a plain number; `float(...)` takes both kinds, because of `__float__`.
    """

    done = 0

    def __init__(self, value: Any) -> None:
        self.value = float(value)

    def __float__(self) -> float:
        return self.value

    def __add__(self, other: Any) -> "Counted":
        ### BEGIN SOLUTION
        Counted.done += 1
        return Counted(self.value + float(other))
        ### END SOLUTION

    def __mul__(self, other: Any) -> "Counted":
        ### BEGIN SOLUTION
        Counted.done += 1
        return Counted(self.value * float(other))
        ### END SOLUTION

    __radd__, __rmul__ = __add__, __mul__


# %% [markdown]
r"""
`count_linear` builds a linear layer out of such numbers, with nothing but loops, and reads the counter.
"""


# %% nbgrader={"grade": false, "grade_id": "given-count-linear", "locked": true, "schema_version": 3, "solution": false, "task": false}
def count_linear(rows, inputs, outputs):
    """Result and number of operations of x @ w + b with ones everywhere, in plain loops."""
    x, w = ([[Counted(1) for _ in range(inputs)] for _ in range(n)] for n in (rows, outputs))
    Counted.done, table = 0, []
    for row in x:
        sums = [Counted(1) for _ in range(outputs)]  # the biases
        for o, weights in enumerate(w):
            for a, b in zip(row, weights, strict=True):
                sums[o] = sums[o] + a * b
        table.append([number.value for number in sums])
    return table, Counted.done


# %% nbgrader={"grade": true, "grade_id": "test-counted", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_counted():
    """The sum of three products on paper, a layer, and a number that stays what it was."""
    three = Counted(3)
    check_equal(lambda: count_linear(rows=1, inputs=3, outputs=1), ([[4.0]], 6))
    check_equal(lambda: count_linear(rows=2, inputs=2, outputs=2)[1], 16)
    check_close(lambda: [three * 2, three + 1, three.value][-1], 3)
    ### BEGIN HIDDEN TESTS
    check_equal(lambda: count_linear(rows=3, inputs=5, outputs=4)[1], 120)
    check_close(lambda: (Counted(2) * 3.5 + 4).value, 11)
    check_close(lambda: (3.5 * Counted(2)).value, 7)
    check_close(lambda: (1 + Counted(2)).value, 3)
    check_close(lambda: [Counted(2) + 1, Counted(5)][1].value, 5)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_counted()

# %% [markdown]
r"""
## From counting to formulas

Counting like this is right. Is it any use? Guess how long it would take to count the product of two 1000 x 1000 matrices, and how long NumPy takes to compute it.
"""


# %%
def analyze_counting():
    """Time for one counted operation, and what that makes of a product of a billion."""
    each = bench(count_linear, 30, 30, 30, samples=3).low_ms / (2 * 30**3)
    a = np.ones((1000, 1000), np.float32)
    product = bench(np.matmul, a, a, samples=5).low_ms
    print(f"counting: {each * 1e6:.0f} ns for each operation,", end=" ")
    print(f"{2 * 1000**3 * each / 60e3:.0f} minutes for the product; NumPy: {product:.1f} ms")


if __name__ == "__main__":
    analyze_counting()

# %% [markdown]
r"""
So look at one number of the result instead. In a linear layer each costs `inputs` multiply-adds, and there are `rows` times `outputs` of them: the layer costs $2 \cdot rows \cdot inputs \cdot outputs$. Does the bias cost anything? Not here: it is what the sum
starts from.

A convolution is the same sum at every pixel: each number of the result, (N, O, Ho, Wo) of them, looks at one window. How many numbers lie in a window of $k_h \times k_w$ pixels, $C$ channels deep? And if the channels are cut into
groups, each of which sees its own channels only?

`@flops_of(Linear)` registers the rule under it for one kind of layer, subclasses included. A rule gets the layer, the result, and what the layer was called with.
"""


# %% nbgrader={"grade": false, "grade_id": "flops-registry", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
FLOPS: dict[type, Callable[..., int]] = {}  # kind of layer -> the rule that counts its FLOPs


def flops_of(kind: type) -> Callable:
    """Register the decorated function as the rule that counts the FLOPs of one kind of layer.

    The rule is called as rule(layer, out, *inputs, **options), with what the layer answered and
    what it was called with. It counts what the layer's own forward computes, without the layers
    inside it, which have rules of their own. A multiply-add is 2.

    Example:
        >>> @flops_of(Identity)
        ... def identity_flops(layer, out, x):
        ...     return 0
    """

    def register(rule: Callable[..., int]) -> Callable[..., int]:
        FLOPS[kind] = rule
        return rule

    return register


def rule_for(layer: Any) -> Callable[..., int] | None:
    """The rule of the layer's class or of the nearest class that it inherits from, or None."""
    return next((FLOPS[kind] for kind in type(layer).__mro__ if kind in FLOPS), None)


# %% nbgrader={"grade": false, "grade_id": "product-flops", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@flops_of(Linear)
def linear_flops(layer: Linear, out: Tensor, x: Tensor) -> int:
    """FLOPs of a linear layer, whatever axes x has before the last one."""
    ### BEGIN SOLUTION
    return 2 * out.numel() * layer.in_features
    ### END SOLUTION


@flops_of(Conv2d)
def conv2d_flops(layer: Conv2d, out: Tensor, x: Tensor) -> int:
    """FLOPs of a convolution, padding counted as if it were pixels.

    Args:
        layer: with in_channels, kernel_size (kh, kw), groups.
        out: shape (N, O, Ho, Wo).
        x: shape (N, C, H, W).

    TODO: both rules.
    APPROACH: 1. how many numbers has the result?  2. how many multiply-adds is each of them?
    EXAMPLE:
        >>> layer, x = Linear(3, 5), Tensor(np.zeros((2, 4, 3)))
        >>> linear_flops(layer, layer(x), x)
        240

    HINT: `out.numel()` is the first answer, and `prod(layer.kernel_size)` a part of the second.
    """
    ### BEGIN SOLUTION
    window = layer.in_channels // layer.groups * prod(layer.kernel_size)
    return 2 * out.numel() * window
    ### END SOLUTION


# %% [markdown]
r"""
`flops_of_call` calls a layer on zeros and asks the rule.
"""


# %% nbgrader={"grade": false, "grade_id": "given-flops-of-call", "locked": true, "schema_version": 3, "solution": false, "task": false}
def flops_of_call(layer, *shapes, **options):
    """What the rule of a layer says to a call with zeros of these shapes."""
    inputs = [Tensor(np.zeros(shape)) for shape in shapes]
    return rule_for(layer)(layer, layer(*inputs, **options), *inputs, **options)


# %% nbgrader={"grade": true, "grade_id": "test-product-flops", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_product_flops():
    """Two rows, more axes, a convolution, and groups."""
    check_equal(lambda: flops_of_call(Linear(3, 4), (2, 3)), 2 * 2 * 3 * 4)
    check_equal(lambda: flops_of_call(Linear(3, 5), (2, 4, 3)), 2 * (2 * 4) * 3 * 5)
    check_equal(lambda: flops_of_call(Conv2d(3, 8, 5), (3, 3, 9, 9)), 2 * (3 * 8 * 5 * 5) * 75)
    check_equal(lambda: flops_of_call(Conv2d(9, 6, 3, groups=3), (1, 9, 5, 5)), 2 * 54 * 27)
    ### BEGIN HIDDEN TESTS
    check_equal(lambda: flops_of_call(Linear(3, 4, bias=False), (3,)), 24)
    check_equal(lambda: flops_of_call(Conv2d(4, 6, 3, groups=2), (1, 4, 5, 5)), 2 * 54 * 18)
    wide = Conv2d(2, 3, (1, 3), stride=2, padding=1)
    check_equal(lambda: flops_of_call(wide, (2, 2, 6, 8)), 2 * (2 * 3 * 4 * 4) * 6)
    check_equal(lambda: flops_of_call(Conv2d(4, 4, 3, groups=4, bias=False), (1, 4, 3, 3)), 72)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_product_flops()

# %% [markdown]
r"""
## What a transformer computes

A layer made of layers counts only what it does *itself*; the layers in it have rules of their own, and the sum over all is the model. So ask of each: what in its `forward` is not a layer?

```
MultiHeadAttention    q, k, v through thirds of one weight      2 * C * C for each position and third
                      scores q @ k.T, all heads together        2 * C for each pair of positions
                      divided by the root of d, softmax         1 + 5 for each pair and head
                      weights @ v, all heads together           2 * C for each pair
                      (out_proj is a Linear)
FeedForward           GELU between its two Linears              9 for each number in the middle
TransformerBlock      two residual additions                    1 for each number, twice
GPT                   the tied head, x @ embedding.T            2 * C for each logit
```

The softmax is 5: compare (for the largest), subtract, exponentiate, add up, divide. Count the 9 of GELU in module 02 yourself. We count an `exp`, a root, a division as one each, and leave out what happens once a row.

Queries are T, keys and values S (with self-attention the same). Positions that a mask hides are computed all the same, here as nearly everywhere: they count.
"""


# %% nbgrader={"grade": false, "grade_id": "transformer-flops", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@flops_of(MultiHeadAttention)
def attention_flops(
    layer: MultiHeadAttention, out: Any, query: Tensor, key: Tensor | None = None,
    value: Tensor | None = None, *masks: Any, **options: Any,
) -> int:  # fmt: skip
    """FLOPs of multi-head attention without its out_proj.

    Args:
        layer: with num_heads; C is its embed_dim.
        out: not needed.
        query: shape (B, T, C).
        key: shape (B, S, C), the query if None; value likewise, the key if None.
    """
    ### BEGIN SOLUTION
    B, T, C = prod(query.shape[:-2]), query.shape[-2], layer.embed_dim
    S = T if key is None else key.shape[-2]
    projections = 2 * B * (T + S + S) * C * C
    products = 2 * B * T * S * C + 2 * B * T * S * C
    softmax = 6 * B * layer.num_heads * T * S
    return projections + products + softmax
    ### END SOLUTION


@flops_of(FeedForward)
def feed_forward_flops(layer: FeedForward, out: Tensor, x: Tensor) -> int:
    """FLOPs of GELU in the middle, where each token has `layer.up.out_features` numbers."""
    ### BEGIN SOLUTION
    return 9 * prod(x.shape[:-1]) * layer.up.out_features
    ### END SOLUTION


@flops_of(TransformerBlock)
def block_flops(layer: TransformerBlock, out: Tensor, x: Tensor, *rest: Any, **named: Any) -> int:
    """FLOPs of the two residual additions."""
    ### BEGIN SOLUTION
    return 2 * out.numel()
    ### END SOLUTION


@flops_of(GPT)
def gpt_flops(layer: GPT, out: Tensor, ids: Any) -> int:
    """FLOPs of the tied head; `layer.embedding.embedding_dim` is C.

    TODO: the four rules.
    APPROACH: 1. the table above, line by line
    EXAMPLE:
        >>> model, ids = GPT(11, context=5, d_model=8, num_layers=1, num_heads=2), [[1, 2, 3]]
        >>> gpt_flops(model, model(ids), ids)
        528

    HINT: C = H * d, so all heads' scores together are 2 * T * S * C.
    """
    ### BEGIN SOLUTION
    return 2 * out.numel() * layer.embedding.embedding_dim
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-transformer-flops", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_transformer_flops():
    """Attention to oneself and to others, the block's own work, and the head."""
    B, T, S, C, H = 3, 5, 7, 8, 4
    own = 6 * B * T * C * C + 4 * B * T * T * C + 6 * B * H * T * T
    two = 2 * B * (T + 2 * S) * C * C + 4 * B * T * S * C + 6 * B * H * T * S
    check_equal(lambda: flops_of_call(MultiHeadAttention(C, H), (B, T, C)), own)
    check_equal(lambda: flops_of_call(MultiHeadAttention(C, H), (B, T, C), (B, S, C)), two)
    check_equal(lambda: flops_of_call(FeedForward(C), (B, T, C)), 9 * B * T * 4 * C)
    check_equal(lambda: flops_of_call(TransformerBlock(C, H), (B, T, C)), 2 * B * T * C)
    tiny, ids = GPT(11, T, C, 1, H), np.zeros((B, T), int)
    check_equal(lambda: gpt_flops(tiny, tiny(ids), ids), 2 * B * T * C * 11)
    ### BEGIN HIDDEN TESTS
    cross = 2 * 4 * (3 + 7 + 7) * 36 + 4 * 4 * 3 * 7 * 6 + 6 * 4 * 2 * 3 * 7
    check_equal(lambda: flops_of_call(MultiHeadAttention(6, 2), (4, 3, 6), (4, 7, 6)), cross)
    weighed = 6 * 3 * 16 + 4 * 9 * 4 + 6 * 9
    layer = MultiHeadAttention(4, 1)
    check_equal(lambda: flops_of_call(layer, (1, 3, 4), need_weights=True), weighed)
    check_equal(lambda: flops_of_call(FeedForward(4, hidden=10), (3, 7, 4)), 1890)
    check_equal(lambda: flops_of_call(TransformerBlock(6, 3), (4, 1, 6)), 48)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_transformer_flops()

# %% [markdown]
r"""
The folded cell holds the rules of all other layers of the course: most cost a fixed number of FLOPs for each number of the result, and one that only moves numbers, such as `Embedding`, costs nothing. (Nothing? Keep that in mind for the
measurements.)
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-rules", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
PER_ELEMENT = {  # FLOPs for each number of the result; of a loss: for each prediction
    Identity: 0, Flatten: 0, Embedding: 0, Bigram: 0,
    ReLU: 1,  # compare with 0
    Tanh: 1,
    Sigmoid: 4,  # negate, exp, add 1, divide
    Softmax: 5,  # compare, subtract, exp, add up, divide
    GELU: 9,  # x (1 + tanh(s (x + c x x x))) / 2
    LayerNorm: 7,  # add up; centre; square, add up; times 1 / deviation, times weight, plus bias
    PositionalEncoding: 1,
    MSELoss: 3,  # subtract, square, add up
    CrossEntropyLoss: 4,  # compare, subtract, exp, add up
    BinaryCrossEntropyLoss: 8,  # t log p + (1 - t) log(1 - p), added up
    BCEWithLogitsLoss: 10,  # max(x, 0) - x t + log(1 + exp(-|x|)), added up
}  # fmt: skip


def per_element(cost: int) -> Callable[..., int]:
    """A rule: so many FLOPs for each number of the result, or of the input where that has more."""

    def rule(layer: Any, out: Any, x: Any, *others: Any, **options: Any) -> int:
        return cost * max(np.size(raw(out)), np.size(raw(x))) if cost else 0

    return rule


FLOPS.update({kind: per_element(cost) for kind, cost in PER_ELEMENT.items()})


@flops_of(Dropout)
def dropout_flops(layer: Dropout, out: Tensor, x: Tensor) -> int:
    """While training, a comparison and a product each; nothing otherwise."""
    return 2 * out.numel() if layer.training and layer.p > 0 else 0


@flops_of(MaxPool2d)
def max_pool_flops(layer: MaxPool2d, out: Tensor, x: Tensor) -> int:
    """A comparison for each place of a window."""
    return out.numel() * prod(pair(layer.kernel_size))


@flops_of(AvgPool2d)
def avg_pool_flops(layer: AvgPool2d, out: Tensor, x: Tensor) -> int:
    """An addition for each place of a window, and a division."""
    return out.numel() * (prod(pair(layer.kernel_size)) + 1)


@flops_of(AdaptiveAvgPool2d)
def adaptive_avg_pool_flops(layer: AdaptiveAvgPool2d, out: Tensor, x: Tensor) -> int:
    """An addition for each pixel of each rectangle, and a division for each rectangle."""
    sizes = zip(x.shape[2:], out.shape[2:], strict=True)
    down, right = (sum(-(-(i + 1) * n // k) - i * n // k for i in range(k)) for n, k in sizes)
    return prod(out.shape[:2]) * down * right + out.numel()


@flops_of(BatchNorm2d)
def batch_norm_flops(layer: BatchNorm2d, out: Tensor, x: Tensor) -> int:
    """Centre, scale, shift; while training also add up, square, add up, and scale by the weight."""
    return (7 if layer.training else 3) * out.numel()


# %% [markdown]
r"""
## Watching every layer

The rules need to see each call. A layer is called through its `forward`, and Python looks for `layer.forward` on the *object* before it looks in the class. So put a function of your own there, on this one object:

```
vars(layer)["forward"] = watched        watched notes the time, calls the forward that it replaced, notes the time again
del vars(layer)["forward"]              the class's own is back
```

No class is touched, and no other model. Everything stands and falls with the second line: it must happen for every layer, also when the model raises in the middle, also when wrapping the third layer fails and two are wrapped already. Python's
word for that is `finally`. And an object may have had a `forward` of its own before you came: then that one must come back.

`layers_of`, folded, lists what can be watched: all modules, once each, and the activation objects on them, which are no modules.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-layers-of", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def layers_of(model: Any) -> list[tuple[str, Any]]:
    """Every module and activation in a model with its path, each once; the model's own is "".

    Raises:
        TypeError: neither a Module nor an activation.
    """
    if isinstance(model, Activation):
        return [("", model)]
    if not isinstance(model, Module):
        raise TypeError(f"a Profiler looks into a Module, not into a {type(model).__name__}: "
                        "write a class whose forward shows each step.")
    found: dict[int, tuple[str, Any]] = {}
    for path, module in model.named_modules():
        found.setdefault(id(module), (path, module))
        for name, value in members(module):
            if isinstance(value, Activation):
                found.setdefault(id(value), (f"{path}.{name}".lstrip("."), value))
    return list(found.values())


# %% nbgrader={"grade": false, "grade_id": "observing", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@contextmanager
def observing(model: Any, watch: Callable[[str, Any], Callable]) -> Iterator[None]:
    """Inside the block, each layer's forward is watch(path, layer); afterwards it is what it was.

    Args:
        model: whose layers to watch, see layers_of.
        watch: called once for each layer, before it is wrapped; returns what stands in for forward.

    TODO: put the functions in, `yield`, and take them out again, whatever happens.
    APPROACH: 1. remember for each layer its own entry in vars(layer), if there is one
        2. everything that may fail stands in the `try`  3. `finally`: put back or delete
    EXAMPLE:
        >>> layer = Linear(3, 2)
        >>> with observing(layer, lambda path, layer: lambda x: "watched"):
        ...     print(layer(Tensor([[1, 2, 3]])))
        watched
        >>> "forward" in vars(layer)
        False

    HINT: `vars(layer).get("forward")` is None where there is none; `vars(layer).pop("forward")`
        deletes.
    """
    ### BEGIN SOLUTION
    before: list[tuple[Any, Any]] = []
    try:
        for path, layer in layers_of(model):
            replacement = watch(path, layer)
            before.append((layer, vars(layer).get("forward")))
            vars(layer)["forward"] = replacement
        yield
    finally:
        for layer, own in before:
            vars(layer).pop("forward")
            if own is not None:
                vars(layer)["forward"] = own
    ### END SOLUTION


# %% [markdown]
r"""
A small model to watch: one layer is called twice, and the last one refuses large numbers. `names_of_calls` wraps every layer in a function that notes its name, runs the model, and tells what is left of that afterwards.
"""


# %% nbgrader={"grade": false, "grade_id": "given-watched-model", "locked": true, "schema_version": 3, "solution": false, "task": false}
class Picky(Module):
    """Hands on what is not above 1000."""

    def forward(self, x):
        if x.max().item() > 1000:
            raise ValueError("too large")
        return x


class Twice(Module):
    """inner, inner again, relu, picky."""

    def __init__(self):
        self.inner, self.relu, self.picky = Linear(2, 2), ReLU(), Picky()

    def forward(self, x):
        return self.picky(self.relu(self.inner(self.inner(x))))


def names_of_calls(x, own_forward=False, broken=None):
    """Which layers were called, in order; which still have a forward of their own; the answer."""
    model, calls = Twice(), []
    model.inner.weight.data[...] = np.eye(2)
    model.inner.bias.data[...] = 0
    if own_forward:
        model.inner.forward = lambda x: x * 10

    def watch(path, layer):
        if path == broken:
            raise KeyError(path)
        forward = layer.forward
        return lambda x: (calls.append(path), forward(x))[1]

    try:
        with observing(model, watch):
            model(Tensor(x))
    except (ValueError, KeyError) as error:
        calls.append(type(error).__name__)
    wrapped = [path for path, layer in layers_of(model) if "forward" in vars(layer)]
    return calls, wrapped, model.inner(Tensor(x)).data.tolist()


# %% nbgrader={"grade": true, "grade_id": "test-observing", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_observing():
    """Every call is seen, nothing is left, also after an error; an own forward comes back."""
    order = ["", "inner", "inner", "relu", "picky"]
    check_equal(lambda: names_of_calls([[1.0, 2.0]]), (order, [], [[1.0, 2.0]]))
    own = (["", "inner", "inner", "relu", "picky"], ["inner"], [[10.0, 20.0]])
    check_equal(lambda: names_of_calls([[1.0, 2.0]], own_forward=True), own)
    failed = (["KeyError"], [], [[1.0, 2.0]])
    check_equal(lambda: names_of_calls([[1.0, 2.0]], broken="picky"), failed)
    ### BEGIN HIDDEN TESTS
    late = (["", "inner", "inner", "relu", "picky", "ValueError"], [], [[1.0, 2000.0]])
    check_equal(lambda: names_of_calls([[1.0, 2000.0]]), late)
    early = (["KeyError"], ["inner"], [[50.0, 0.0]])
    check_equal(lambda: names_of_calls([[5.0, 0.0]], own_forward=True, broken="relu"), early)
    check_equal(lambda: names_of_calls([[1.0, 2.0]], broken=""), failed)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_observing()

# %% [markdown]
r"""
### Whose time is it?

A block's time contains the time of the attention in it. To find what is slow you want each layer's **own** time: its span, minus the spans that lie directly inside it.

```
block      |---------------------------|      0 to 10
attention     |--------|                      1 to 5
out_proj            |--|                      4 to 5
norm                      |-----|             6 to 8        own times: 4, 3, 1, 2; together 10
```

The spans come in the order in which they begin, and they nest. A **stack** of the spans that are still open answers the question: when a span begins, close those that have ended; the one on top is what it lies in.
"""


# %% nbgrader={"grade": false, "grade_id": "own-times", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def own_times(spans: list[tuple[float, float]]) -> list[float]:
    """Each span's length without what lies inside it.

    Args:
        spans: (begin, end), in the order of their beginnings; two of them nest or are apart.

    TODO: subtract each span from the one that it lies in directly.
    APPROACH: 1. begin with all lengths  2. a stack of open spans, by their numbers
        3. for each span: pop what has ended, subtract from the top, push
    EXAMPLE:
        >>> own_times([(0, 10), (1, 5), (4, 5), (6, 8)])
        [4, 3, 1, 2]

    HINT: a span has ended if its end is not after the new one's beginning.
    """
    ### BEGIN SOLUTION
    own = [end - begin for begin, end in spans]
    still_open: list[int] = []
    for i, (begin, end) in enumerate(spans):
        while still_open and spans[still_open[-1]][1] <= begin:
            still_open.pop()
        if still_open:
            own[still_open[-1]] -= end - begin
        still_open.append(i)
    return own
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-own-times", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_own_times():
    """The picture; neighbours; and a layer that is called again later."""
    check_close(lambda: own_times([(0, 10), (1, 5), (4, 5), (6, 8)]), [4, 3, 1, 2])
    check_close(lambda: own_times([(0, 1), (1, 3), (5, 6)]), [1, 2, 1])
    ### BEGIN HIDDEN TESTS
    check_close(lambda: own_times([(0, 9), (0, 4), (4, 9), (5, 8), (6, 7)]), [0, 4, 2, 2, 1])
    spans = [(2, 20), (3, 9), (4, 5), (5, 8), (10, 11), (12, 20)]
    check_close(lambda: own_times(spans), [3, 2, 1, 3, 1, 8])
    check_close(lambda: own_times([(0.5, 2.0)]), [1.5])
    check_equal(lambda: [own_times(spans), spans][1][:2], [(2, 20), (3, 9)])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_own_times()

# %% [markdown]
r"""
## How long does it take?

Ask twice and you get two answers. The first call fills caches and finds its memory; later ones meet whatever else the machine is doing. So: some calls that do not count, the **warm-up**, then many that do; and not their mean alone. The
fastest says what the work costs, the **median** what you usually get, and the 99th **percentile** how long one caller in a hundred waits, which for a service is what counts (Dean and Barroso, *The tail at scale*, 2013).

The $q$-th percentile of $n$ sorted samples lies at place $\frac{q}{100}(n - 1)$, counted from 0; between two samples it takes its share of both. Of 10, 20, 40: the median is 20; and the 75th percentile? Place 1.5, so 30.
"""


# %% nbgrader={"grade": false, "grade_id": "timing", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def time_calls(function: Callable[[], Any], warmup: int, iterations: int) -> list[float]:
    """Wall time of each of `iterations` calls in milliseconds, after `warmup` that do not count."""
    ### BEGIN SOLUTION
    for _ in range(warmup):
        function()
    samples = []
    for _ in range(iterations):
        start = time.perf_counter()
        function()
        samples.append((time.perf_counter() - start) * 1e3)
    return samples
    ### END SOLUTION


def percentile(samples: list[float], q: float) -> float:
    """The value below which q percent of the samples lie, as defined above.

    Args:
        samples: at least one, in any order.
        q: from 0 to 100.

    TODO: both functions.
    APPROACH: 1. there: a loop that only calls, and one that times  2. here: sort, find the place
        3. the sample below it, plus its share of the step to the next
    EXAMPLE:
        >>> percentile([40, 10, 20], 75)
        30.0

    HINT: `int(place)` is the sample below; the last one has no next.
    """
    ### BEGIN SOLUTION
    ranked = sorted(samples)
    place = q / 100 * (len(ranked) - 1)
    below = int(place)
    above = min(below + 1, len(ranked) - 1)
    return ranked[below] + (place - below) * (ranked[above] - ranked[below])
    ### END SOLUTION


# %% nbgrader={"grade": false, "grade_id": "given-slow-start", "locked": true, "schema_version": 3, "solution": false, "task": false}
def time_slow_start(slow, warmup, iterations):
    """Time a function whose first `slow` calls last 50 ms; tell how many calls and samples it had,
    and how many samples are that long."""
    calls = []

    def work():
        calls.append(1)
        time.sleep(0.05 * (len(calls) <= slow))

    samples = time_calls(work, warmup, iterations)
    return len(calls), len(samples), sum(sample > 40 for sample in samples)


# %% nbgrader={"grade": true, "grade_id": "test-timing", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_timing():
    """A slow start that the warm-up takes away, or not; percentiles on paper."""
    check_equal(lambda: time_slow_start(slow=1, warmup=1, iterations=3), (4, 3, 0))
    check_equal(lambda: time_slow_start(slow=1, warmup=0, iterations=3), (3, 3, 1))
    check_close(lambda: percentile([40, 10, 20], 50), 20)
    check_close(lambda: percentile([40, 10, 20], 75), 30)
    ### BEGIN HIDDEN TESTS
    samples = [7.0, 1.0, 3.0, 9.0, 4.0]
    for q in (0, 10, 37.5, 50, 99, 100):
        check_close(lambda q=q: percentile(samples, q), np.percentile(samples, q))
    check_close(lambda: [percentile(samples, 50), *samples][1:], [7, 1, 3, 9, 4])
    check_close(lambda: percentile([5.0], 99), 5)
    check_equal(lambda: time_slow_start(slow=2, warmup=1, iterations=2), (3, 2, 1))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_timing()

# %% [markdown]
r"""
## What does a model weigh?

Parameters times four bytes? Buffers count too, later modules keep weights in one byte each, and somebody may hold an old copy of a weight in an attribute that nobody thinks of. So weigh what is there: every array that the model keeps, **once**. A tied
embedding is one array under two names. And a *view* weighs nothing of its own, but keeps the whole array alive that it looks into: one row of a table of a million holds all of it. `owner_of(array)` (module 05) is that whole array.

`arrays_of`, given, lists what stands in attributes, lists and dicts of all layers, views and doubles included.
"""

# %% nbgrader={"grade": false, "grade_id": "given-arrays-of", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def arrays_of(model: Any) -> list[np.ndarray]:
    """Every array that a model keeps: parameters, Tensors, buffers, plain arrays; doubles too."""
    parts = [part for _, layer in layers_of(model) for _, part in members(layer)]
    return [raw(part) for part in parts if isinstance(part, Tensor | np.ndarray)]


# %% nbgrader={"grade": false, "grade_id": "model-bytes", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def count_bytes(arrays: list[np.ndarray]) -> int:
    """The bytes that these arrays keep in memory.

    TODO: the bytes of their owners, each owner once.
    APPROACH: 1. the owner of each  2. each once, by its `id`  3. add up their bytes
    EXAMPLE:
        >>> table = np.zeros((1000, 10), np.int8)
        >>> count_bytes([table[3], table.T])
        10000

    HINT: a dict from id to owner has each of them once; `nbytes` is the size of an array.
    """
    ### BEGIN SOLUTION
    owners = {id(owner_of(array)): owner_of(array) for array in arrays}
    return sum(owner.nbytes for owner in owners.values())
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-model-bytes", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_count_bytes():
    """One byte and four, the same array twice, a view of a view."""
    small, table = np.zeros(7, np.int8), Tensor(np.zeros((100, 3)))
    check_equal(lambda: count_bytes([small, table.data]), 1207)
    check_equal(lambda: count_bytes([table.data, table.data, small]), 1207)
    check_equal(lambda: count_bytes([table[:50].T.data]), 1200)
    ### BEGIN HIDDEN TESTS
    twin, row = Tensor(np.zeros((100, 3))), Tensor(np.zeros(7))
    views = [table[0].data, table[1].data, twin.data, row[2:][1:].data]
    check_equal(lambda: count_bytes(views), 2428)
    check_equal(lambda: count_bytes([]), 0)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_count_bytes()

# %% [markdown]
r"""
## The Profiler

The rest is plumbing around what you wrote, in three folded cells. The first keeps a promise: whatever happens while a model is profiled, **it is afterwards what it was**. Running a model changes more than one thinks: batch norm's running
statistics, gradients, the random generator behind dropout, attributes that a `forward` sets. A `Snapshot` keeps all of it and puts it back, and an error says in which layer it happened. What the model prints is held back, or thirty calls would print thirty times.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-unchanged", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class ProfilingError(RuntimeError):
    """A model could not be profiled; the model is as it was before."""


class OutOfMemory(ProfilingError, MemoryError):
    """A model needed more memory than there is while it was profiled."""


def tensors_in(value: Any) -> list[Tensor]:
    """Every Tensor in what a model answered: itself, or in tuples, lists and dicts of it."""
    if isinstance(value, tuple | list | dict):
        parts = value.values() if isinstance(value, dict) else value
        return [tensor for part in parts for tensor in tensors_in(part)]
    return [value] if isinstance(value, Tensor) else []


def shapes_in(values: Any) -> str:
    """The shapes of inputs in words."""
    return ", ".join(str(np.shape(raw(value))) for value in values) or "nothing"


def name_of(model: Any, path: str) -> str:
    """A layer in words, such as "blocks.0.norm1 (LayerNorm)"."""
    layer = dict(layers_of(model)).get(path, model)
    return f"{path} ({type(layer).__name__})" if path else type(layer).__name__


def explain(model: Any, inputs: Any, error: Exception) -> ProfilingError:
    """Say in which layer of a model an error was raised: the innermost one in its traceback."""
    paths = {id(layer): path for path, layer in layers_of(model)}
    frames = [frame.f_locals.get("self") for frame, _ in traceback.walk_tb(error.__traceback__)]
    inside = [paths[id(layer)] for layer in frames if id(layer) in paths]
    where, whole = name_of(model, inside[-1] if inside else ""), type(model).__name__
    if isinstance(error, MemoryError):
        return OutOfMemory(
            f"{where} ran out of memory while {whole} was profiled on {shapes_in(inputs)} "
            f"({error or 'no more memory'}): use a smaller batch. The model is as it was."
        )
    return ProfilingError(
        f"{where} raised {type(error).__name__} while {whole} was profiled on "
        f"{shapes_in(inputs)}: {str(error).rstrip('.')}. The model is as it was."
    )


class Snapshot:
    """All that running a model may change: attributes, numbers, gradients, random numbers."""

    def __init__(self, model: Any, inputs: Any) -> None:
        layers = [layer for _, layer in layers_of(model)]
        values = [value for layer in layers for value in vars(layer).values()]
        parts = [part for layer in layers for _, part in members(layer)]
        tensors = [part for part in [*parts, *tensors_in(list(inputs))] if isinstance(part, Tensor)]
        sources = [generator(), *(part for part in parts if isinstance(part, np.random.Generator))]
        self.dicts = [(kept, dict(kept)) for kept in [*map(vars, layers), *values]
                      if isinstance(kept, dict)]  # fmt: skip
        self.lists = [(kept, list(kept)) for kept in values if isinstance(kept, list)]
        self.tensors = [(t, t._data, t._grad, t._requires_grad) for t in tensors]
        self.arrays = [(array, array.copy()) for array in arrays_of(model)]
        self.random = [(source.bit_generator, source.bit_generator.state) for source in sources]

    def restore(self) -> None:
        """Put everything back."""
        for now, before in self.dicts:
            now.clear()
            now.update(before)
        for items, kept in self.lists:
            items[:] = kept
        for tensor, *before in self.tensors:
            tensor._data, tensor._grad, tensor._requires_grad = before
        for array, numbers in self.arrays:
            if array.flags.writeable:  # else nobody has written into it either
                array[...] = numbers
        for bits, state in self.random:
            bits.state = state


@contextmanager
def unchanged(model: Any, inputs: Any = ()) -> Iterator[None]:
    """Run the block without gradients from before; leave the model as it was, see Snapshot.

    What the model prints is held back, and a warning says so.

    Raises:
        ProfilingError, OutOfMemory: the block raised an error; see explain.
    """
    snapshot, printed = None, io.StringIO()
    try:
        snapshot = Snapshot(model, inputs)
        forget_gradients(model, inputs)
        with redirect_stdout(printed):
            yield
    except Exception as error:
        if snapshot is None and not isinstance(error, MemoryError):
            raise
        raise explain(model, inputs, error) from error
    finally:
        if snapshot is not None:
            snapshot.restore()
    if printed.getvalue():
        warnings.warn(f"{type(model).__name__} prints while it computes; that is held back while "
                      "it is profiled, and its times contain the printing.", stacklevel=4)


# %% [markdown]
r"""
The second folded cell holds the tape on which `observing` writes. Backward has no layers to wrap: but each operation left a node with a number (module 05), and whatever lies between the numbers at a layer's beginning and end is that layer's. `watch_backward` marks the time at
every rule of *this one graph*, which nobody else has.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-tape", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@dataclass
class Call:
    """One call of one layer.

    path, kind: which layer, and its class.
    inputs:     the shapes of what it was called with, in words.
    begin, end: seconds on the clock of time.perf_counter.
    flops:      of its own forward, without the layers inside; None if no rule is known.
    moved:      bytes of its inputs, of the arrays on the layer itself and of its result.
    nodes:      numbers of the graph at its beginning and its end.
    own:        seconds of its own forward.
    backward:   seconds of its own part of the backward pass.
    """

    path: str
    kind: str
    inputs: str = ""
    begin: float = 0.0
    end: float = 0.0
    flops: int | None = None
    moved: int = 0
    nodes: tuple[int, int] = (0, 0)
    own: float = 0.0
    backward: float = 0.0


def graph_number() -> int:
    """The number of the next node of any graph."""
    return Node("mark", [], (), wrap(np.zeros((), FLOAT32))).order


def bytes_in(value: Any) -> int:
    """The bytes of the arrays and Tensors in a value, or in the tuples, lists and dicts of it."""
    if isinstance(value, tuple | list | dict):
        parts = value.values() if isinstance(value, dict) else value
        return sum(bytes_in(part) for part in parts)
    array = raw(value)
    return array.nbytes if isinstance(array, np.ndarray) else 0


class Tape:
    """Writes down every call of every layer: `with observing(model, tape.watch): model(x)`."""

    def __init__(self, recorded: bool = False) -> None:
        self.calls: list[Call] = []
        self.number = graph_number if recorded else int  # int() is 0

    def watch(self, path: str, layer: Any) -> Callable:
        """A forward that does what the layer's does, and writes down that it did."""
        forward, rule, kind = layer.forward, rule_for(layer), type(layer).__name__
        own = sum(bytes_in(part) for _, part in members(layer))

        def watched(*inputs: Any, **options: Any) -> Any:
            call = Call(path, kind)
            self.calls.append(call)
            first = self.number()
            call.begin = time.perf_counter()
            out = forward(*inputs, **options)
            call.end = time.perf_counter()
            call.nodes, call.inputs = (first, self.number()), shapes_in(inputs)
            call.flops = int(rule(layer, out, *inputs, **options)) if rule else None
            call.moved = bytes_in([*inputs, *options.values()]) + own + bytes_in(out)
            return out

        return watched

    def finish(self) -> None:
        """Give each call its own time."""
        spans = [(call.begin, call.end) for call in self.calls]
        for call, own in zip(self.calls, own_times(spans), strict=True):
            call.own = own


def total(answer: Any) -> Tensor:
    """One number to walk back from: the sum of every Tensor of an answer that has a graph.

    Raises:
        ValueError: there is none.
    """
    recorded = [tensor for tensor in tensors_in(answer) if tensor.requires_grad]
    if not recorded:
        raise ValueError("nothing in its answer was computed from something that wants a gradient, "
                         "so that there is no backward pass.")  # fmt: skip
    loss = recorded[0].sum()
    for tensor in recorded[1:]:
        loss = loss + tensor.sum()
    return loss


def watch_backward(loss: Tensor, calls: list[Call]) -> list[tuple[str, float, float]]:
    """Walk back from a loss, and give each call the time of the nodes that it left.

    Returns:
        (path, begin, end) of each stretch of the walk.
    """
    marks: list[tuple[Call | None, float]] = []

    def marked(rule: Callable, owner: Call | None) -> Callable:
        return lambda *values: (marks.append((owner, time.perf_counter())), rule(*values))[1]

    for node in topological_order(loss._grad_fn):
        around = [call for call in calls if call.nodes[0] < node.order < call.nodes[1]]
        owner = max(around, key=lambda call: call.nodes[0], default=None)
        node.edges = [(target, shape, marked(rule, owner), kept)
                      for target, shape, rule, kept in node.edges]  # fmt: skip
    loss.backward()
    marks.append((None, time.perf_counter()))
    spans = []
    for (owner, begin), (_, end) in pairwise(marks):
        if owner is not None:
            owner.backward += end - begin
            spans.append((owner.path, begin, end))
    return spans


# %% [markdown]
r"""
And the third: what comes out, with its table and its two files, and the `Profiler`. The trace is in the format of Chrome's tracing tool; drop the file onto <https://ui.perfetto.dev> and you see your model run.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-results", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@dataclass(frozen=True)
class Latency:
    """Wall times of single calls in milliseconds."""

    samples: tuple[float, ...]

    @property
    def low_ms(self) -> float:
        """The fastest."""
        return min(self.samples)

    @property
    def mean_ms(self) -> float:
        """The mean."""
        return sum(self.samples) / len(self.samples)

    @property
    def median_ms(self) -> float:
        """What half of the calls stay below."""
        return self.percentile(50)

    @property
    def p90_ms(self) -> float:
        """What nine of ten calls stay below."""
        return self.percentile(90)

    @property
    def p99_ms(self) -> float:
        """What 99 of 100 calls stay below."""
        return self.percentile(99)

    def percentile(self, q: float) -> float:
        """See percentile."""
        return percentile(list(self.samples), q)

    def __str__(self) -> str:
        figures = (self.low_ms, self.median_ms, self.p90_ms, self.p99_ms)
        named = zip(("low", "median", "p90", "p99"), figures, strict=True)
        return ", ".join(f"{name} {ms:.3f}" for name, ms in named) + " ms"


@dataclass(frozen=True)
class Memory:
    """What running a model takes, in bytes.

    model_bytes:    every array that the model keeps, see count_bytes.
    peak_bytes:     most that was held at a time on top of that, as tracemalloc counts arrays.
    kept_bytes:     held after forward: the answer, and with backward=True what the graph keeps.
    gradient_bytes: gradients of the parameters after backward.
    resident_growth: by how much the process's peak grew in the system's eyes; memory that was free
                    already is not asked for again. None where the system does not tell.
    """

    model_bytes: int
    peak_bytes: int
    kept_bytes: int
    gradient_bytes: int
    resident_growth: int | None


@dataclass
class Row:
    """All calls of one layer together; see Call. `parameters` are its own, not of those inside."""

    path: str
    kind: str
    parameters: int
    calls: int = 0
    flops: int | None = None
    moved: int = 0
    forward_ms: float = 0.0
    backward_ms: float = 0.0

    @property
    def gflops(self) -> float:
        """FLOPs per nanosecond of its own forward: GFLOP/s."""
        return (self.flops or 0) / self.forward_ms / 1e6 if self.forward_ms else 0.0

    @property
    def intensity(self) -> float:
        """FLOPs for each byte that it must at least move."""
        return intensity(self.flops or 0, self.moved)


@dataclass
class Profile:
    """What one pass through a model did.

    model, inputs: its class, the shapes.
    rows:          a Row for each layer, in the order of their first calls; last those never called.
    calls:         a Call for each call, in order.
    walk:          (path, begin, end) of the backward pass; empty without one.
    overhead_ms:   what watching adds to the forward pass: the fastest with it minus without it.
    """

    model: str
    inputs: str
    rows: list[Row]
    calls: list[Call]
    walk: list[tuple[str, float, float]] = field(default_factory=list)
    overhead_ms: float = 0.0

    @property
    def flops(self) -> int:
        """FLOPs of the forward pass, of all layers that have a rule."""
        return sum(row.flops or 0 for row in self.rows)

    @property
    def parameters(self) -> int:
        """Numbers in all parameters, each once."""
        return sum(row.parameters for row in self.rows)

    @property
    def forward_ms(self) -> float:
        """Milliseconds of the forward pass: the sum over the layers."""
        return sum(row.forward_ms for row in self.rows)

    @property
    def backward_ms(self) -> float:
        """Milliseconds of the backward pass, 0 without one."""
        return sum(row.backward_ms for row in self.rows)

    def table(self, top: int | None = None) -> str:
        """The layers as a text: own parameters, FLOPs and times; with `top` only the slowest."""
        lines = [f"{'layer':29} {'kind':18} {'calls':>5} {'parameters':>11} {'MFLOPs':>9} "
                 f"{'forward ms':>10} {'backward':>9} {'GFLOP/s':>8}"]  # fmt: skip
        slowest = sorted(self.rows, key=lambda row: -row.forward_ms - row.backward_ms)
        chosen = self.rows if top is None else slowest[:top]
        for row in chosen:
            flops = "-" if row.flops is None else f"{row.flops / 1e6:.3f}"
            lines.append(f"{row.path or '(itself)':29} {row.kind:18} {row.calls:5} "
                         f"{row.parameters:11,} {flops:>9} {row.forward_ms:10.3f} "
                         f"{row.backward_ms:9.3f} {row.gflops:8.1f}")  # fmt: skip
        lines.append(f"{'all':48} {len(self.calls):5} {self.parameters:11,} "
                     f"{self.flops / 1e6:9.3f} {self.forward_ms:10.3f} {self.backward_ms:9.3f}")
        if any(row.flops is None and row.calls for row in self.rows):
            lines.append("-: no rule; what such a class computes itself is not counted.")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """All figures as plain numbers, strings, lists and dicts."""
        names = ("model", "inputs", "parameters", "flops", "forward_ms", "backward_ms",
                 "overhead_ms")
        rows = [asdict(row) | {"gflops": row.gflops, "intensity": row.intensity}
                for row in self.rows]  # fmt: skip
        return {name: getattr(self, name) for name in names} | {"layers": rows}

    def to_json(self, path: Any = None) -> str:
        """The figures as JSON; also written to a file, if a path is given."""
        return written(json.dumps(self.to_dict(), indent=2) + "\n", path)

    def to_trace(self, path: Any = None) -> str:
        """The pass in Chrome's Trace Event Format (complete events), for ui.perfetto.dev.

        Source: Trace Event Format, Google, 2016: times are microseconds.
        """
        start = min((call.begin for call in self.calls), default=0.0)

        def event(name: str, track: int, begin: float, end: float, **about: Any) -> dict[str, Any]:
            span = {"ts": (begin - start) * 1e6, "dur": (end - begin) * 1e6}
            return {"name": name, "ph": "X", "pid": 1, "tid": track, **span, "args": about}

        forward = [event(call.path or call.kind, 1, call.begin, call.end, kind=call.kind,
                         inputs=call.inputs, flops=call.flops) for call in self.calls]  # fmt: skip
        walk = [event(name or self.model, 2, begin, end) for name, begin, end in self.walk]
        tracks = [{"name": "thread_name", "ph": "M", "pid": 1, "tid": track, "args": {"name": name}}
                  for track, name in ((1, "forward"), (2, "backward"))]  # fmt: skip
        events = {"traceEvents": [*tracks, *forward, *walk], "displayTimeUnit": "ms"}
        return written(json.dumps(events) + "\n", path)


def written(text: str, path: Any) -> str:
    """Return the text; write it to the path too, if there is one."""
    if path is not None:
        Path(path).write_text(text, encoding="utf-8")
    return text


# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-profiler", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
STATUS, FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def system_bytes(name: str) -> int | None:
    """A size from /proc/self/status in bytes, see proc(5); None on other systems than Linux."""
    lines = STATUS.read_text().splitlines() if STATUS.is_file() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), None)


def resident_bytes() -> int | None:
    """The memory that this process has in the system's eyes, None where it does not tell."""
    return system_bytes("VmRSS")


def resident_growth(function: Callable[[], Any]) -> int | None:
    """By how much the process's resident memory rose above what it was while a function ran."""
    before = resident_bytes()
    try:
        FORGET.write_text("5")  # forget the highest value so far
    except OSError:
        before = None
    function()
    peak = system_bytes("VmHWM")
    return None if before is None or peak is None else max(0, peak - before)


def model_bytes(model: Any) -> int:
    """The bytes of every array that a model keeps; a shared one counts once.

    Example:
        >>> model_bytes(Linear(10, 5))
        220
    """
    return count_bytes(arrays_of(model))


def forward(model: Any, inputs: Any, recorded: bool) -> Any:
    """What a model answers, with a graph or without."""
    if recorded:
        return model(*inputs)
    with no_grad():
        return model(*inputs)


def run(model: Any, inputs: Any, backward: bool) -> None:
    """Forward without a graph; or forward, and back from the sum of the answer."""
    answer = forward(model, inputs, recorded=backward)
    if backward:
        total(answer).backward()
        forget_gradients(model, inputs)


def forget_gradients(model: Any, inputs: Any) -> None:
    """Leave no gradient on parameters and inputs."""
    for tensor in [*parameters_of(model), *tensors_in(list(inputs))]:
        tensor.grad = None


def parameters_of(model: Any) -> list[Parameter]:
    """Every Parameter of a model, once."""
    parts = [part for _, layer in layers_of(model) for _, part in members(layer)]
    return list({id(part): part for part in parts if isinstance(part, Parameter)}.values())


def check_counts(**counts: Any) -> None:
    """Refuse what is no whole number, or too small: warmup from 0, iterations from 1 on."""
    for name, count in counts.items():
        least = int(name == "iterations")
        whole = isinstance(count, int | np.integer) and not isinstance(count, bool)
        if not whole or count < least:
            raise ValueError(f"Profiler: {name} is a whole number from {least} on, not {count!r}.")


class Profiler:
    """Measures a model: its parameters, FLOPs, memory and time, as a whole and layer by layer.

    A model is a Module or an activation; it is run in the mode that it is in (call `model.eval()`
    first for what users wait for), and is afterwards as it was. Inputs are what it is called with;
    a forward that writes into them does so here, too.

    Every method that runs the model raises a ProfilingError (OutOfMemory when memory was short)
    that says in which layer an error happened.

    Example:
        >>> profile = Profiler().profile(Linear(3, 5), Tensor(np.zeros((2, 3))))
        >>> profile.flops, profile.parameters
        (60, 20)
    """

    def __init__(self) -> None:
        self.last: Profile | None = None

    def count_parameters(self, model: Any) -> int:
        """How many numbers its parameters hold; a shared parameter counts once."""
        return sum(parameter.numel() for parameter in parameters_of(model))

    def count_nonzero(self, model: Any) -> int:
        """How many of them are not 0."""
        return sum(int(np.count_nonzero(parameter.data)) for parameter in parameters_of(model))

    def measure_sparsity(self, model: Any) -> float:
        """The share of zeros among its weights; 0 without any.

        Weights are parameters of two axes or more, and what a layer's to_dense() stands for.
        """
        weights = [raw(p) for p in parameters_of(model) if p.ndim > 1]
        stored = [layer for _, layer in layers_of(model) if hasattr(type(layer), "to_dense")]
        weights += [layer.to_dense() for layer in stored]
        size = sum(weight.size for weight in weights)
        return 1 - sum(int(np.count_nonzero(weight)) for weight in weights) / size if size else 0.0

    def model_bytes(self, model: Any) -> int:
        """See model_bytes."""
        return model_bytes(model)

    def count_flops(self, model: Any, *inputs: Any) -> int:
        """FLOPs of one forward pass, of all layers that have a rule; a multiply-add is 2."""
        tape = Tape()
        with unchanged(model, inputs), observing(model, tape.watch):
            run(model, inputs, backward=False)
        return sum(call.flops or 0 for call in tape.calls)

    def measure_latency(self, model: Any, *inputs: Any, warmup: int = 3, iterations: int = 30,
                        backward: bool = False) -> Latency:
        """Time single calls; with backward=True forward and backward together.

        Raises:
            ValueError: warmup below 0 or iterations below 1.
        """
        check_counts(warmup=warmup, iterations=iterations)
        with unchanged(model, inputs):
            samples = time_calls(lambda: run(model, inputs, backward), warmup, iterations)
        return Latency(tuple(samples))

    def measure_memory(self, model: Any, *inputs: Any, backward: bool = False) -> Memory:
        """Weigh a model, and what a call takes: forward without a graph, or both directions."""
        weight = model_bytes(model)
        with unchanged(model, inputs):
            growth = resident_growth(lambda: run(model, inputs, backward))
        with unchanged(model, inputs), traced():
            before = tracemalloc.get_traced_memory()[0]
            answer = forward(model, inputs, backward)
            kept = tracemalloc.get_traced_memory()[0] - before
            if backward:
                total(answer).backward()
            peak = tracemalloc.get_traced_memory()[1] - before
            gradients = bytes_in([p.grad for p in parameters_of(model)])
        return Memory(weight, peak, kept, gradients, growth)

    def profile(self, model: Any, *inputs: Any, warmup: int = 1, iterations: int = 9,
                backward: bool = False) -> Profile:
        """Run a model some times and report layer by layer.

        Whatever else the machine does only adds time: each call's own time, forward and backward,
        is the shortest of all passes; the trace shows the fastest pass.

        Args:
            model, inputs: what is run.
            warmup: passes that do not count.
            iterations: passes that do.
            backward: whether to record a graph and walk back from the sum of the answer.
        """
        check_counts(warmup=warmup, iterations=iterations)
        passes, bare = [], []
        with unchanged(model, inputs):
            for _ in range(iterations + warmup):
                passes.append(one_pass(model, inputs, backward))
                bare += time_calls(lambda: forward(model, inputs, backward), 0, 1)
        passes = passes[warmup:]
        best = best_of(passes)
        overhead = min(one.forward_ms for one in passes) - min(bare[warmup:])
        self.last = Profile(type(model).__name__, shapes_in(inputs), rows_of(model, best.calls),
                            best.calls, best.walk, overhead)  # fmt: skip
        return self.last

    def to_json(self, path: Any = None) -> str:
        """The latest profile as JSON, see Profile.to_json."""
        return self.latest().to_json(path)

    def to_trace(self, path: Any = None) -> str:
        """The latest profile as a trace, see Profile.to_trace."""
        return self.latest().to_trace(path)

    def latest(self) -> Profile:
        """The latest profile, or a RuntimeError if there is none."""
        if self.last is None:
            raise RuntimeError("nothing has been profiled yet: call profile(model, *inputs) first.")
        return self.last


@contextmanager
def traced() -> Iterator[None]:
    """Have tracemalloc count inside the block; it goes on if it was counting before."""
    with ExitStack() as after:
        if not tracemalloc.is_tracing():
            tracemalloc.start()
            after.callback(tracemalloc.stop)
        tracemalloc.reset_peak()
        yield


@dataclass
class Pass:
    """What one pass through a model left: see Profile."""

    calls: list[Call]
    walk: list[tuple[str, float, float]]
    forward_ms: float
    backward_ms: float


def one_pass(model: Any, inputs: Any, backward: bool) -> Pass:
    """Run a model on a tape."""
    tape, walk = Tape(backward), []
    with observing(model, tape.watch):
        start = time.perf_counter()
        answer = forward(model, inputs, recorded=backward)
        middle = time.perf_counter()
    tape.finish()
    if backward:
        walk = watch_backward(total(answer), tape.calls)
        forget_gradients(model, inputs)
    back = sum(end - begin for _, begin, end in walk)
    return Pass(tape.calls, walk, (middle - start) * 1e3, back * 1e3)


def best_of(passes: list[Pass]) -> Pass:
    """The fastest pass, with the shortest own times of all that made the same calls."""
    best = min(passes, key=lambda one: one.forward_ms + one.backward_ms)
    order = [call.path for call in best.calls]
    same = [one.calls for one in passes if [call.path for call in one.calls] == order]
    for calls in zip(best.calls, *same, strict=True):
        calls[0].own = min(call.own for call in calls)
        calls[0].backward = min(call.backward for call in calls)
    return best


def rows_of(model: Any, calls: list[Call]) -> list[Row]:
    """A row for each layer; a shared parameter stands in the first row that has it."""
    rows, seen, layers = {}, set(), dict(layers_of(model))
    for path in dict.fromkeys([*(call.path for call in calls), *layers]):
        layer = layers[path]
        own = {id(part): part.numel() for _, part in members(layer) if isinstance(part, Parameter)}
        rows[path] = Row(path, type(layer).__name__, sum(own[key] for key in own.keys() - seen))
        seen |= own.keys()
    for call in calls:
        row = rows[call.path]
        row.calls += 1
        row.moved += call.moved
        row.forward_ms += call.own * 1e3
        row.backward_ms += call.backward * 1e3
        row.flops = row.flops if call.flops is None else (row.flops or 0) + call.flops
    return list(rows.values())


# %% [markdown]
r"""
## How fast could it be?

Two things bound a computation: how fast this machine computes, its **peak**, and how fast it brings numbers from memory, its **bandwidth**. What decides between them is how much is computed with each byte, the **intensity** (FLOPs per byte). At one FLOP per byte and 10 GB/s, no
processor in the world does more than 10 GFLOP/s:

$$\text{attainable} = \min(\text{peak}, \ \text{intensity} \times \text{bandwidth})$$

Drawn over the intensity it looks like a roof, which gave the model its name: the **roofline** (Williams, Waterman and Patterson, 2009). Two layers, on a machine of 50 GFLOP/s and 10 GB/s; which of them would run faster on a processor with twice the peak?

```
ReLU on 1,000 numbers             1,000 FLOPs        8,000 bytes      intensity 0.125
linear, 1000 x 1000 x 1000        2 GFLOPs          12 MB             intensity 167
```
"""


# %% nbgrader={"grade": false, "grade_id": "roofline", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def intensity(flops: int, moved: int) -> float:
    """FLOPs for each byte moved; 0 where nothing is moved."""
    ### BEGIN SOLUTION
    return flops / moved if moved else 0.0
    ### END SOLUTION


def attainable(flops_per_byte: float, peak: float, bandwidth: float) -> float:
    """The most GFLOP/s at an intensity, with the peak in GFLOP/s and the bandwidth in GB/s."""
    ### BEGIN SOLUTION
    return min(peak, flops_per_byte * bandwidth)
    ### END SOLUTION


def least_ms(flops: int, moved: int, peak: float, bandwidth: float) -> float:
    """The least milliseconds for so many FLOPs and bytes: both must be done, at the same time.

    TODO: the three functions.
    APPROACH: 1. a quotient  2. the lower of two bounds  3. the longer of two times
    EXAMPLE:
        >>> attainable(0.125, peak=50, bandwidth=10)
        1.25
        >>> least_ms(10**9, 10**6, peak=50, bandwidth=10)
        20.0

    HINT: 1 GFLOP/s is 10^6 FLOPs in a millisecond, 1 GB/s is 10^6 bytes. Nothing takes no time:
        `flops` may be 0.
    """
    ### BEGIN SOLUTION
    return max(flops / (peak * 1e6), moved / (bandwidth * 1e6))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-roofline", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_roofline():
    """The two layers above, on their machine; a copy; and the ridge, where both bounds meet."""
    machine = {"peak": 50, "bandwidth": 10}
    check_close(lambda: intensity(1000, 8000), 0.125)
    check_close(lambda: attainable(0.125, **machine), 1.25)
    check_close(lambda: attainable(167, **machine), 50)
    check_close(lambda: least_ms(2 * 10**9, 12 * 10**6, **machine), 40)
    check_close(lambda: least_ms(0, 10**7, **machine), 1)
    ### BEGIN HIDDEN TESTS
    check_close(lambda: intensity(0, 100), 0)
    check_close(lambda: intensity(10, 0), 0)
    check_close(lambda: attainable(5, **machine), 50)
    check_close(lambda: attainable(3, peak=80, bandwidth=7), 21)
    check_close(lambda: least_ms(3 * 10**6, 10**6, peak=80, bandwidth=7), 1 / 7)
    check_close(lambda: least_ms(35 * 10**7, 10**6, peak=100, bandwidth=7), 3.5, rtol=1e-9, atol=0)
    check_close(lambda: least_ms(10, 7 * 10**9, peak=100, bandwidth=7), 1000, rtol=1e-9, atol=0)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_roofline()

# %% [markdown]
r"""
`measure_machine`, folded, finds the two numbers of *your* machine: the fastest of some matrix products, and of copies far larger than any cache. A third: copies that fit into a cache.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-machine", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@dataclass(frozen=True)
class Machine:
    """What a machine can do: GFLOP/s of float32 products, GB/s from memory, GB/s in the cache."""

    peak: float
    bandwidth: float
    cache: float


def best_rate(amount: float, function: Callable[[], Any], iterations: int) -> float:
    """Amount per nanosecond in the fastest of some calls."""
    return amount / min(time_calls(function, 2, iterations)) / 1e6


def copy_rate(size: int, iterations: int) -> float:
    """GB/s of a copy of so many bytes, read and written."""
    source = np.ones(size // 4, np.float32)
    target, times = np.empty_like(source), max(1, (1 << 22) // size)

    def copies() -> None:
        for _ in range(times):
            np.copyto(target, source)

    return best_rate(2 * size * times, copies, iterations)


def measure_machine() -> Machine:
    """Measure the machine that this runs on, in about a second."""
    rates = []
    for n in (256, 512, 1024):
        a, b, out = (np.ones((n, n), np.float32) for _ in range(3))
        rates.append(best_rate(2 * n**3, lambda a=a, b=b, out=out: np.matmul(a, b, out=out), 15))
    return Machine(max(rates), copy_rate(1 << 27, 4), copy_rate(1 << 17, 20))


# %% [markdown]
r"""
## Measure: where does a GPT spend its time?

A GPT of four blocks reads 4 texts of 128 characters. Write down three guesses before you look: which kind of layer has most of the FLOPs? Which one costs the most time *for each* FLOP? And backward, each product needs two, one for the input's
gradient and one for the weight's: by what factor is it slower than forward?
"""


# %%
def shares_by_kind(profile):
    """FLOPs, forward and backward milliseconds of each kind of layer, in percent of all."""
    kinds = {}
    for row in profile.rows:
        sums = kinds.setdefault(row.kind, np.zeros(3))
        sums += [row.flops or 0, row.forward_ms, row.backward_ms]
    whole = sum(kinds.values())
    ranked = sorted(kinds.items(), key=lambda item: -item[1][1])
    return {kind: 100 * sums / np.maximum(whole, 1e-9) for kind, sums in ranked}


def analyze_gpt():
    """Shares of work and time by kind of layer; the slowest layers in numbers."""
    keep_freed_memory()
    ids = np.random.default_rng(0).integers(0, 65, size=(4, 128))
    model = GPT(65, 128, d_model=128, num_layers=4, num_heads=4, seed=0)
    profile = Profiler().profile(model, ids, iterations=20, backward=True)
    shares = {kind: s for kind, s in shares_by_kind(profile).items() if s.max() >= 0.5}
    fig, axes = plt.subplots(figsize=(7, 3.2))
    looks = (("FLOPs", "//"), ("forward time", ""), ("backward time", ".."))
    for i, (label, hatch) in enumerate(looks):
        heights = [s[i] for s in shares.values()]
        axes.bar(np.arange(len(shares)) + 0.27 * i, heights, 0.27, label=label, hatch=hatch)
    axes.set_xticks(np.arange(len(shares)) + 0.27, shares, rotation=20, fontsize=8)
    axes.set(ylabel="share [%]", title="A GPT's work and time, by kind of layer")
    axes.legend(fontsize=8)
    words = "; ".join(f"{kind} {s[0]:.0f} and {s[1]:.0f}" for kind, s in shares.items())
    show(fig, alt=f"Shares of FLOPs and of forward time in percent: {words}")
    print(profile.table(top=8))
    print(f"backward / forward {profile.backward_ms / profile.forward_ms:.2f}")


if __name__ == "__main__":
    analyze_gpt()

# %% [markdown]
r"""
If products were all there is, the last line would say 2. It says less wherever forward spends its time on what backward does not repeat: exponentials, the tanh of GELU, means and roots are computed once and kept, and backward only multiplies by them. How far below 2 your figure lies tells how much of a pass is no product at all,
and a second run tells how firm it is.

A sum over a table hides the order of things. Here is the second block as a **flame chart**: time runs to the right, what stands below runs inside what stands above it. The same picture, for the whole model and with every number under your mouse, is in the trace.
"""


# %%
def analyze_trace():
    """Draw the calls of one block; write the trace of the whole model."""
    import tempfile

    ids = np.random.default_rng(0).integers(0, 65, size=(4, 128))
    profiler = Profiler()
    model = GPT(65, 128, d_model=128, num_layers=4, num_heads=4, seed=0)
    profile = profiler.profile(model, ids, iterations=20)
    calls = [c for c in profile.calls if c.path.startswith("blocks.1")]
    start, fig = calls[0].begin, plt.figure(figsize=(9, 2.4))
    axes = fig.add_subplot()
    for call in calls:
        depth, ms = call.path.count("."), (call.end - call.begin) * 1e3
        left = (call.begin - start) * 1e3
        axes.barh(depth, ms, left=left, height=0.9, color=f"C{depth}", edgecolor="white")
        if ms > 0.06 * (calls[0].end - start) * 1e3:
            name = call.path if depth == 1 else call.path.split(".")[-1]
            axes.text(left + ms / 2, depth, name, ha="center", va="center", fontsize=7)
    axes.set(xlabel="ms", yticks=[])
    axes.invert_yaxis()
    show(fig, alt=f"Nested bars: {', '.join(c.path[9:] or 'the block' for c in calls)}, in turn")
    with tempfile.TemporaryDirectory() as folder:
        text = profiler.to_trace(Path(folder) / "gpt.json")
    print(f"the whole trace: {len(json.loads(text)['traceEvents'])} events, {len(text):,} bytes")
    print("yours: profiler.to_trace('gpt.json'), then ui.perfetto.dev")


if __name__ == "__main__":
    analyze_trace()

# %% [markdown]
r"""
## Measure: under the roof

Now your machine, and what each layer reaches of it. A layer's bytes are the least that it must move: inputs, its own weights and its result, each once. Guess: which layers lie under the sloped part of the roof, where memory is the bound? And can a point lie *above* the roof?
"""


# %%
def analyze_roofline():
    """The measured roof of this machine, and layers under it or above."""
    keep_freed_memory()
    machine, rng = measure_machine(), np.random.default_rng(0)
    image, rows = rng.normal(size=(16, 16, 32, 32)), rng.normal(size=(512, 512))
    layers = {
        "Linear 512": (Linear(512, 512), rows), "Linear, 1 row": (Linear(512, 512), rows[:1]),
        "Conv2d 3x3": (Conv2d(16, 16, 3, padding=1), image), "MaxPool2d": (MaxPool2d(2), image),
        "ReLU": (ReLU(), image), "LayerNorm": (LayerNorm(512), rows), "GELU": (GELU(), image),
        "Attention": (MultiHeadAttention(128, 4), rng.normal(size=(4, 128, 128))),
    }  # fmt: skip
    fig, axes = plt.subplots(figsize=(7, 4))
    reach = np.geomspace(0.05, 1000, 200)
    for rate, style, name in ((machine.bandwidth, "-", "memory"), (machine.cache, "--", "cache")):
        roof = [attainable(x, machine.peak, rate) for x in reach]
        axes.plot(reach, roof, f"k{style}", label=f"{name}: {rate:.0f} GB/s")
    print(f"peak {machine.peak:.0f} GFLOP/s; ridge at {machine.peak / machine.bandwidth:.1f}")
    for i, (name, (layer, x)) in enumerate(layers.items()):
        row = Profiler().profile(layer, Tensor(x), iterations=40).rows[0]
        share = row.gflops / attainable(row.intensity, machine.peak, machine.bandwidth)
        axes.plot(row.intensity, row.gflops, "osv^D<>P"[i], color=f"C{i}", label=name)
        print(f"{name:14} {row.intensity:7.2f} FLOPs/byte {row.gflops:7.2f} GFLOP/s,", end=" ")
        print(f"{100 * share:4.0f} % of the roof")
    axes.set(xscale="log", yscale="log", xlabel="FLOPs per byte", ylabel="GFLOP/s")
    axes.legend(fontsize=7, ncols=2)
    show(fig, alt="GFLOP/s over FLOPs per byte: the roof of this machine, and eight layers")


if __name__ == "__main__":
    analyze_roofline()

# %% [markdown]
r"""
Where a point lies far under the sloped line, it moves more than the least: GELU in NumPy writes an array for every step of its formula, and reads it again. A point above the slope found its numbers in the cache, whose roof is the dashed line. And one row through a large layer uses each weight once; that is what generating
text one character at a time looks like.

## Measure: memory, twice

Training must keep what backward will ask for. Two questions: how does what is kept grow with the batch, and do `tracemalloc`, which counts arrays, and the operating system, which counts pages, agree?
"""


# %%
def analyze_memory():
    """What is held at most, forward alone and with backward, by batch and by both counts."""
    model, profiler = GPT(65, 64, d_model=64, num_layers=4, num_heads=4, seed=0), Profiler()
    rng, batches, found = np.random.default_rng(0), [1, 2, 4, 8, 16], {}
    for backward in (False, True):
        for batch in batches:
            ids = rng.integers(0, 65, size=(batch, 64))
            found[backward, batch] = profiler.measure_memory(model, ids, backward=backward)
    fig, axes = plt.subplots(figsize=(5, 3))
    for backward, look, name in ((True, "o-", "forward and backward"), (False, "s--", "forward")):
        peaks = [found[backward, batch].peak_bytes / 2**20 for batch in batches]
        axes.plot(batches, peaks, look, label=name)
    axes.axhline(model_bytes(model) / 2**20, color="grey", linestyle=":", label="the model itself")
    axes.set(xlabel="texts in a batch", ylabel="MiB at the highest point")
    axes.legend(fontsize=8)
    show(fig, alt="Peak memory by batch: it rises steeply with backward, slowly with forward alone")
    for batch in batches:
        memory = found[True, batch]
        told = "not told" if memory.resident_growth is None else f"{memory.resident_growth:,}"
        print(f"batch {batch:2}: kept for backward {memory.kept_bytes:11,} bytes,", end=" ")
        print(f"peak {memory.peak_bytes:11,}, the system's growth {told}")


if __name__ == "__main__":
    analyze_memory()

# %% [markdown]
r"""
The system hands out pages, and a process keeps what it has freed for the next time: once a batch has been large, a smaller one asks for nothing. So the growth says what was *new*; arrays are counted by `tracemalloc`. Both are right, about different things. Here next to nothing was new, for the larger GPT further up had asked for more already. Restart the kernel, run only the cells that define something and then
this one, and the growth of a batch is about what it needs beyond the batch before.

## Measure: what the instrument costs

An instrument that changes what it measures must say by how much. A chain of layers that do nearly nothing is the worst case; a guess, in microseconds for each watched call?
"""


# %% nbgrader={"grade": false, "grade_id": "given-chain", "locked": true, "schema_version": 3, "solution": false, "task": false}
class Chain(Module):
    """The same tiny layer, many times."""

    def __init__(self, length):
        self.layers = [Identity() for _ in range(length)]

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


# %%
def analyze_overhead():
    """Extra time of the fastest watched pass over the fastest other; the spread of single calls."""
    x, profiler = Tensor(np.ones((4, 4))), Profiler()
    chain = profiler.profile(Chain(200), x, iterations=30)
    print(f"watching a call costs {chain.overhead_ms / 201 * 1e3:.1f} microseconds")
    model = GPT(65, 64, d_model=64, num_layers=4, num_heads=4, seed=0)
    ids = np.random.default_rng(0).integers(0, 65, size=(4, 64))
    watched = profiler.profile(model, ids, iterations=30)
    bare = profiler.measure_latency(model, ids).low_ms
    print(f"a GPT of {len(watched.calls)} calls: {bare:.2f} ms at best, and", end=" ")
    print(f"{watched.overhead_ms:+.2f} ms when watched, {100 * watched.overhead_ms / bare:+.1f} %")
    cold = profiler.measure_latency(model, ids, warmup=0, iterations=200)
    print("200 calls from the first on:", cold)
    fig, axes = plt.subplots(figsize=(6, 2.8))
    axes.plot(cold.samples, ".", markersize=4)
    for q, style in ((50, "-"), (90, "--"), (99, ":")):
        axes.axhline(cold.percentile(q), color="k", linestyle=style, linewidth=0.8, label=f"p{q}")
    axes.set(xlabel="call", ylabel="ms", ylim=(0, None))
    axes.legend(fontsize=8)
    show(fig, alt=f"Milliseconds of 200 calls; median {cold.median_ms:.2f}, p99 {cold.p99_ms:.2f}")


if __name__ == "__main__":
    analyze_overhead()

# %% [markdown]
r"""
What watching costs is a difference of two times, each the shortest of 30 passes. On a busy machine either of them may be off by more than 45 watched calls take, and the difference comes out far too large, or below 0: it is lost in the noise, and the first line, with 201 calls that do nothing else, is the one to trust.
The low and the median of the last line say how busy the machine is.
"""

# %% nbgrader={"grade": true, "grade_id": "test-module-profiling", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_module():
    """A GPT in total, by the formula on paper; every call seen; the model as it was."""
    B, T, C, V, L, H = 2, 6, 8, 11, 3, 2
    model, ids = GPT(V, T, C, L, H, seed=0), np.zeros((B, T), int)
    block = 24 * B * T * C * C + 4 * B * T * T * C + 6 * B * H * T * T + 36 * B * T * C
    wanted = L * (block + (2 + 2 * 7) * B * T * C) + (1 + 7 + 2 * V) * B * T * C
    check_equal(lambda: Profiler().count_flops(model, ids), wanted)
    profile = Profiler().profile(model, ids, iterations=3, backward=True)
    check_equal(lambda: sum(row.calls for row in profile.rows), 5 + L * 10)
    check_equal(lambda: sum("forward" in vars(layer) for _, layer in layers_of(model)), 0)
    check_equal(lambda: sum(p.grad is not None for p in model.parameters()), 0)
    check_equal(lambda: profile.backward_ms > 0, True)
    ### BEGIN HIDDEN TESTS
    check_equal(lambda: profile.flops, wanted)
    check_equal(lambda: profile.parameters, sum(p.numel() for p in model.parameters()))
    check_equal(lambda: model_bytes(model), 4 * profile.parameters)
    latency = Profiler().measure_latency(model, ids, iterations=5)
    check_equal(lambda: latency.low_ms > 0, True)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_module()

# %% [markdown]
r"""
**Question.** Of two layers that compute the same number of FLOPs, one runs at nine tenths of the machine's peak and the other at a fiftieth, and nobody can make either of them faster on this machine. How can that be, and which of them gains from weights of one byte instead of four?
"""

# %% [markdown] nbgrader={"grade": true, "grade_id": "q-profiling", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
r"""
The first computes much with every byte that it fetches, the second little: it waits for memory, and its bound is bandwidth times intensity. Weights of one byte move a quarter of the bytes, so that the second may run up to four times as fast, if most of its bytes are weights, as with one token at a time. The first is bound by
arithmetic and gains nothing, unless the processor also multiplies small numbers faster.
"""

# %% [markdown]
r"""
**To think about.** A profiler counts `Embedding` as no work at all, and yet it takes time. What is it doing? And if you profile a model in training mode, which of its layers cost more than in evaluation?

You can now say where time and memory go. The largest waste in your GPT stands in plain sight: to write one character, it reads the whole text again. **Module 15** makes it remember.
"""
