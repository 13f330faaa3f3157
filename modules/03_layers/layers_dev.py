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
# Module 03: Layers

A network is a function with numbers in it, and training means changing those numbers. Today you build the layer that holds most of
them, and the object that can find every one of them again, however deep you hid it.

**Needs** `Tensor` (01), `relu` (02) | **Exports** `tinytorch.core.layers` | **About** 3 hours | **Points** 50
"""

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| default_exp core.layers
#| export
from collections.abc import Iterator
from math import prod, sqrt
from typing import Any

import numpy as np

from tinytorch.core.tensor import ShapeError, Tensor, as_array, generator, instead, op, raw

# %% nbgrader={"grade": false, "grade_id": "page-imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
from itertools import islice  # this page only: plots and measurements are not exported

import matplotlib.pyplot as plt

from tinytorch.core.activations import relu
from tinytorch.core.tensor import manual_seed
from tito.lab import check_close, check_equal, check_raises, compare, load_digits, peak_bytes, show

# %% [markdown]
r"""
## The linear layer: every output looks at every input

Each output is a weighted sum of all inputs, plus a number of its own. With two inputs and three outputs:

```
                weight (3, 2)     bias (3,)
x = [1, 2]       [ 1   0 ]          10         1*1 + 2*0   + 10 = 11
                 [ 0   1 ]          20         1*0 + 2*1   + 20 = 22
                 [ 1  -1 ]          30         1*1 + 2*-1  + 30 = 29
```

A *row* of the weight belongs to an output, so its shape is (out, in), and a batch x of shape (N, in) is multiplied by the transpose:

$$y = x W^\top + b \qquad (N, in) \times (in, out) + (out,) \to (N, out)$$

Two details make it fast. x may have more axes, such as (batch, time, in) in a transformer. NumPy would multiply matrix by matrix, one
call of BLAS for each; **flattening** the leading axes makes one large product of them. And the product is a fresh array that nobody else
has seen, so the bias may be added **in place**: `y += bias` needs no second array of that size. Both are measured below; guess
first how much they save on a (1024, 4, 64) batch.

Is it only a detail of large models? Of GPT-3's 175 billion parameters, 96 blocks hold $12 \cdot 12288^2$ each in weights of this very layer:
174 billion (sizes from Brown et al., *Language models are few-shot learners*, 2020).
"""

# %% nbgrader={"grade": false, "grade_id": "linear", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@op
def linear(x, weight, bias=None):
    """Weighted sums of the last axis, one for each row of the weight: x @ weight.T + bias.

    Args:
        x: shape (..., in).
        weight: shape (out, in).
        bias: shape (out,), or None for no bias.

    Returns:
        shape (..., out).

    Raises:
        ShapeError: the last size of x is not the weight's `in`; the message names both shapes.

    TODO: one matrix product, whatever the leading axes are.
    APPROACH: 1. check the sizes  2. flatten x to (N, in)  3. multiply
        4. add the bias in place, if there is one  5. restore the axes
    EXAMPLE:
        >>> linear(Tensor([[1, 2]]), Tensor([[1, 0], [0, 1], [1, -1]]), Tensor([10, 20, 30])).data
        array([[11., 22., 29.]], dtype=float32)

    HINT: inside an operation these are arrays. `x.shape[:-1]` are the axes to flatten (`prod` of
        them, even if one is 0) and to restore.
    """
    ### BEGIN SOLUTION
    features_out, features_in = weight.shape
    if x.ndim == 0 or x.shape[-1] != features_in:
        raise ShapeError(
            f"linear: x of shape {x.shape} does not end in {features_in}, "
            f"the in-features of the weight of shape {weight.shape}."
        )
    y = x.reshape(prod(x.shape[:-1]), features_in) @ weight.T  # (N, in) @ (in, out) -> (N, out)
    if bias is not None:
        y += bias
    return y.reshape(*x.shape[:-1], features_out)  # (..., out)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-linear", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}
def test_unit_linear():
    """The example by hand, no bias, an axis more, and a mismatch by name."""
    weight, bias = np.array([[1, 0], [0, 1], [1, -1]]), np.array([10, 20, 30])
    x = np.array([[1, 2], [0, 0]])
    expected = [[11, 22, 29], [10, 20, 30]]
    check_close(lambda: linear(Tensor(x), Tensor(weight), Tensor(bias)).data, expected)
    check_close(lambda: linear(Tensor(x), Tensor(weight)).data, [[1, 2, -1], [0, 0, 0]])
    expected = [[[1, 2, -1]], [[0, 0, 0]]]
    check_close(lambda: linear(Tensor(x[:, None]), Tensor(weight)).data, expected)
    check_raises(
        ShapeError,
        lambda: linear(Tensor(np.ones((2, 4))), Tensor(weight)),
        mentions=["(2, 4)", "(3, 2)"],
    )
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(0)
    w, b = rng.normal(size=(5, 3)).astype(np.float32), rng.normal(size=5).astype(np.float32)
    for shape in [(4, 3), (2, 4, 3), (3,), (2, 1, 4, 3), (0, 3)]:
        x = rng.normal(size=shape).astype(np.float32)
        check_close(lambda: linear(Tensor(x), Tensor(w), Tensor(b)).data, x @ w.T + b)
    square = rng.normal(size=(3, 3)).astype(np.float32)
    check_close(lambda: linear(Tensor(w), Tensor(square)).data, w @ square.T)
    bias = Tensor(b)
    linear(Tensor(x), Tensor(w), bias)
    check_close(lambda: bias.data, b)
    check_raises(ShapeError, lambda: linear(Tensor(1.0), Tensor(w)), mentions=["(5, 3)"])
    plain = linear.__wrapped__  # without @op, which would turn NumPy's own error into a ShapeError
    check_raises(ShapeError, lambda: plain(b, w), mentions=["(5,)", "(5, 3)"])
    check_raises(ShapeError, lambda: plain(b[:2], w), mentions=["(2,)", "(5, 3)"])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_linear()

# %% [markdown]
r"""
## Who holds the parameters?

A model of twenty layers has forty arrays to train, and nobody wants to list them by hand. So two small classes make an agreement:

- A **Parameter** is a Tensor that wants to be trained. It computes like any other; its class is the whole difference.
- A **Module** is whatever holds Parameters, or other Modules, as attributes. There is nothing to register: what you store
  on `self` is found by looking.

```python
class Net(Module):
    def __init__(self):
        self.hidden = Linear(64, 32)                      hidden.weight   hidden.bias
        self.blocks = [Linear(32, 32), Linear(32, 32)]    blocks.0.weight   blocks.0.bias   blocks.1.weight ...
        self.scale = Parameter(np.ones(10))               scale
        self.steps = 0                                    not a Parameter, not a Module: skipped
```

The path to a parameter is its name, and that makes a saved model readable: `state_dict()` is a dictionary from names to arrays, the format
in which nearly all open models are shared. A **buffer** is an array that belongs in there without being trained, such as the running mean
of module 09.

The folded cell holds the comforts of every model: the words for a wrong assignment or an unknown name, `zero_grad`, `children`, and how it prints.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-module-base", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def stored(values: Any) -> np.ndarray:
    """A new array as a state keeps it: booleans and whole numbers that come in an array keep their
    type (masks, int8 weights); everything else is float32.

    Example:
        >>> stored(np.int8([1, 2])).dtype, stored([1, 2]).dtype
        (dtype('int8'), dtype('float32'))
    """
    whole = isinstance(values, np.ndarray) and values.dtype.kind in "biu"
    return values.copy() if whole else as_array(values)


class ModuleBase:
    """What a Module has besides its parameters: children, buffers, messages, a printed form."""

    _buffers: tuple[str, ...] = ()

    def __setattr__(self, name: str, value: Any) -> None:
        replaced = isinstance(vars(self).get(name), Parameter)
        if replaced and value is not None and not isinstance(value, Parameter):
            raise TypeError(
                f"{type(self).__name__}.{name} is a Parameter, and a {type(value).__name__} in its "
                f"place would not be trained: write into it "
                f"(with no_grad(): layer.{name}[...] = values), or assign a Parameter(values)."
            )
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        hint = instead(name, NO_MODULE_HAS, [*vars(self), *dir(type(self))])
        raise AttributeError(f"{type(self).__name__} has no {name}{hint}", name=name, obj=self)

    def named_children(self) -> list[tuple[str, "Module"]]:
        """The modules one level down."""
        return [(name, part) for name, part in members(self) if isinstance(part, Module)]

    def children(self) -> list["Module"]:
        """The modules one level down, without names."""
        return [child for _, child in self.named_children()]

    def register_buffer(self, name: str, array: Any) -> None:
        """Keep a copy of `array` as `self.name`, see `stored`: part of the state, not trained."""
        setattr(self, name, stored(array))
        if name not in self._buffers:
            self._buffers = (*self._buffers, name)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters; they are None afterwards, never zeros."""
        for parameter in self.parameters():
            parameter.zero_grad()

    def extra_repr(self) -> str:
        """What to print between the parentheses; each layer may define its own."""
        return ""

    def __repr__(self) -> str:
        children = self.named_children()
        lines = [f"({name}): {child!r}".replace("\n", "\n  ") for name, child in children]
        if not lines:
            return f"{type(self).__name__}({self.extra_repr()})"
        return "\n  ".join([f"{type(self).__name__}(", *lines]) + "\n)"


# %% [markdown]
r"""
What remains is short. Read it: `walk`, `state_dict` and `load_state_dict`, to which its methods hand over, are yours.
"""

# %% nbgrader={"grade": false, "grade_id": "module-class", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Parameter(Tensor):
    """A Tensor that a Module reports as its own and that training changes.

    The numbers are copied, in their order in memory.

    mask: None, or booleans of the same shape; where it is False the number stays 0, whatever an
        optimizer does. Module 17 sets it.

    Example:
        >>> Parameter([1, 2]).requires_grad
        True
    """

    __slots__ = ("mask",)

    def __init__(self, data: Any) -> None:
        super().__init__(raw(data), requires_grad=True)
        self.mask: np.ndarray | None = None

    def __reduce_ex__(self, protocol: int) -> tuple:
        make, (*parts, others) = super().__reduce_ex__(protocol)
        return make, (*parts, {**others, "mask": self.mask})  # a copy has a mask of its own

    def __repr__(self) -> str:
        numbers = np.array2string(self._data, separator=", ", prefix="Parameter(", precision=4)
        return f"Parameter({numbers}, shape={self.shape})"


class Module(ModuleBase):
    """The base of everything with parameters.

    Define `forward`, store Parameters and Modules on `self`, and call it like a function.

    training: whether it is being trained; Dropout looks at it. Set by `train()` and `eval()`.
    """

    training = True

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """Compute the output; each model defines its own."""
        name = type(self).__name__
        raise NotImplementedError(f"{name} does not say what it computes: define forward(self, x).")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        output = self.forward(*inputs, **options)
        if output is None:
            raise TypeError(f"{type(self).__name__}.forward returned None: is a `return` missing?")
        return output

    def named_parameters(self) -> list[tuple[str, Parameter]]:
        """Every Parameter with its path, once, in the order of assignment."""
        return [(path, part) for path, part in walk(self) if isinstance(part, Parameter)]

    def parameters(self) -> list[Parameter]:
        """Every Parameter, once."""
        return [parameter for _, parameter in self.named_parameters()]

    def named_modules(self) -> list[tuple[str, "Module"]]:
        """This module (its path is "") and every one inside it, once."""
        inside = [(path, part) for path, part in walk(self) if isinstance(part, Module)]
        return [("", self), *inside]

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return a copy of every parameter and buffer: path -> float32 array."""
        return state_dict(self)

    def load_state_dict(self, state: dict[str, Any], strict: bool = True) -> None:
        """Copy the numbers of `state` into this module, or refuse all of them."""
        load_state_dict(self, state, strict)

    def train(self, mode: bool = True) -> "Module":
        """Switch this module and all inside it to training, or with False to evaluation."""
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self) -> "Module":
        """Switch this module and all inside it to evaluation."""
        return self.train(False)


# %% [markdown]
r"""
## A function that pauses

What you write next hands out its finds one by one. Python has a form for this, the **generator**: a function with `yield` in it. Calling it runs
nothing; each step of a loop runs it up to the next `yield`, takes the value, and leaves it there, paused. `yield from` hands out everything that
another generator yields, and so a generator can call itself:

```python
def leaves(value):
    if isinstance(value, list):
        for item in value:
            yield from leaves(item)      # all the leaves of this item, then on with the next
    else:
        yield value
```

What does `list(leaves([1, [2, [3, 4]], 5]))` give? And how many lines of `leaves` have run after `leaves([1, 2])` alone?
"""


# %%
def leaves(value):
    """Everything that is no list, at any depth."""
    if isinstance(value, list):
        for item in value:
            yield from leaves(item)
    else:
        yield value


if __name__ == "__main__":
    print("all of them:", list(leaves([1, [2, [3, 4]], 5])))
    paused = leaves([1, 2])
    print("nothing has run yet, there is only a", type(paused).__name__)
    print("up to the first yield:", next(paused))

# %% [markdown]
r"""
`members`, folded below, is such a generator: it yields everything that is stored on one module, by name, with lists and dicts opened on the way:
`("width", 8)`, `("blocks.0", ...)`, `("blocks.1", ...)`.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-members", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def members(module: Module) -> Iterator[tuple[str, Any]]:
    """Everything that is stored on one module; items of lists, tuples and dicts by place or key.

    Example:
        >>> net = Module()
        >>> net.width, net.blocks = 8, ["a", "b"]
        >>> list(members(net))
        [('width', 8), ('blocks.0', 'a'), ('blocks.1', 'b')]
    """
    for name, value in vars(module).items():
        yield from opened(name, value)


def opened(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The items of a list, tuple or dict, at any depth, as ("name.0", item) or ("name.key", item).

    Anything else comes as (name, value).
    """
    if isinstance(value, list | tuple | dict):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from opened(f"{name}.{key}", item)
    else:
        yield name, value


# %% [markdown]
r"""
### Finding them all

`members` looks into one module. The rest is a walk down a tree: report what you find, and where you find a module, walk on inside it with a
longer path. Except that it is not a tree. A language model uses one array to read words and to write them (Press and Wolf, *Using the output
embedding to improve language models*, 2017): two paths, one Parameter. Counted twice, it would be updated twice. And a module may hold a
reference to the one that contains it. Where would a plain recursion end then?

Both are cured by a set of what has been seen already, **one** set for the whole walk.
"""

# %% nbgrader={"grade": false, "grade_id": "walk", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def walk(
    module: Module, prefix: str = "", seen: set[int] | None = None
) -> Iterator[tuple[str, Any]]:
    """Yield every Parameter and Module inside `module` with its path, each of them once.

    Args:
        module: where to begin; it is not reported itself.
        prefix: what its own path puts before each name, such as "blocks.0.".
        seen: ids of what has been met already.

    TODO: yield the Parameters and Modules among `members(module)`, and walk on in each Module.
    APPROACH: 1. a new `seen` if there is none, with the module itself in it
        2. skip other values, and what is in `seen`  3. remember it and yield (path, part)
        4. for a Module, `yield from` a walk with a longer prefix and the same `seen`
    EXAMPLE:
        >>> net = Module()
        >>> net.inner = Module()
        >>> net.inner.w = Parameter([1, 2])
        >>> [path for path, part in walk(net)]
        ['inner', 'inner.w']

    HINT: `id(part)` is a number that tells objects apart; `isinstance(part, Parameter | Module)`
        picks both kinds.
    """
    ### BEGIN SOLUTION
    if seen is None:
        seen = {id(module)}
    for name, part in members(module):
        if not isinstance(part, Parameter | Module) or id(part) in seen:
            continue
        seen.add(id(part))
        yield prefix + name, part
        if isinstance(part, Module):
            yield from walk(part, f"{prefix}{name}.", seen)
    ### END SOLUTION


# %% [markdown]
r"""
Two small models to try it on. `House` holds whatever you pass for `rooms`, in a list; with `shared`, its attic *is* its first room, and the
cellar knows the house that it belongs to. A room has a parameter, and a buffer with its area.
"""


# %% nbgrader={"grade": false, "grade_id": "house", "locked": true, "schema_version": 3, "solution": false, "task": false}
class Room(Module):
    """One parameter of `size` numbers, and a buffer."""

    def __init__(self, size):
        self.wall = Parameter(np.ones(size))
        self.register_buffer("area", [size * size])


class House(Module):
    """A parameter, a plain Tensor, a number, a module, and a list of modules."""

    def __init__(self, rooms, shared=False):
        self.number = 7
        self.roof = Parameter([[1, 2], [3, 4]])
        self.plan = Tensor([1, 2, 3])
        self.cellar = Room(2)
        self.rooms = [Room(n) if isinstance(n, int) else [Room(m) for m in n] for n in rooms]
        if shared:
            self.attic = self.rooms[0]
            self.ceiling = self.rooms[-1].wall
            self.cellar.house = self


def paths(model, kind):
    """The paths of the parts of one kind among the first hundred that `walk` yields."""
    return [path for path, part in islice(walk(model), 100) if isinstance(part, kind)]


def parameter_paths(rooms, shared=False, walks=1):
    """Paths of the Parameters of a new House, as the last of so many walks gives them."""
    model = House(rooms, shared)
    return [paths(model, Parameter) for _ in range(walks)][-1]


def module_paths(rooms, shared=False):
    """Paths of the Modules of a new House."""
    return paths(House(rooms, shared), Module)


# %% nbgrader={"grade": true, "grade_id": "test-walk", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}
def test_unit_walk():
    """Own parameters, nested ones, lists, and what is there twice."""
    check_equal(lambda: parameter_paths([3]), ["roof", "cellar.wall", "rooms.0.wall"])
    check_equal(lambda: parameter_paths([3], walks=2), ["roof", "cellar.wall", "rooms.0.wall"])
    check_equal(lambda: module_paths([3]), ["cellar", "rooms.0"])
    expected = ["cellar", "rooms.0", "rooms.1"]
    check_equal(lambda: module_paths([4, 5], shared=True), expected)
    ### BEGIN HIDDEN TESTS
    expected = ["roof", "cellar.wall", "rooms.0.wall", "rooms.1.0.wall", "rooms.1.1.wall"]
    check_equal(lambda: parameter_paths([1, [2, 3]]), expected)
    expected = ["roof", "cellar.wall", "rooms.0.wall", "rooms.1.wall"]
    check_equal(lambda: parameter_paths([4, 5], shared=True), expected)
    street = Module()
    street.house = House([3])
    expected = ["house.roof", "house.cellar.wall", "house.rooms.0.wall"]
    check_equal(lambda: paths(street, Parameter), expected)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_walk()

# %% [markdown]
r"""
### Saving: a dictionary of copies

A state is everything that a model has learnt: all parameters, and the buffers of every module inside it. A buffer is named like a parameter, by
the path of its module and its own name:

```
House([3])     roof   cellar.wall   rooms.0.wall   cellar.area   rooms.0.area
               -------- parameters -------------   -------- buffers ---------
```

One trap. Somebody takes the state of the best epoch so far and trains on. If it holds the arrays themselves, it will always show the latest epoch, never
the best. So `state_arrays` finds the arrays themselves, and `state_dict` hands out copies of them.
"""

# %% nbgrader={"grade": false, "grade_id": "state-dict", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def state_arrays(module: Module) -> dict[str, np.ndarray]:
    """The arrays of all parameters and buffers themselves, by path.

    TODO: find every array of the state here; hand out copies of them in state_dict below.
    APPROACH: 1. `module.named_parameters()` has the parameters with their paths
        2. every one of `module.named_modules()` has the names of its buffers in `_buffers`
        3. a buffer's path is its module's path, a dot and its name; the module itself has path ""
    EXAMPLE:
        >>> net = Module()
        >>> net.w = Parameter([1, 2])
        >>> net.register_buffer("mean", [5])
        >>> list(state_arrays(net))
        ['w', 'mean']

    HINT: `getattr(part, name)` is the attribute of `part` whose name is in `name`; `.data` is the
        array of a Parameter.
    """
    ### BEGIN SOLUTION
    arrays = {path: parameter.data for path, parameter in module.named_parameters()}
    for path, part in module.named_modules():
        for name in part._buffers:
            arrays[f"{path}.{name}" if path else name] = getattr(part, name)
    return arrays
    ### END SOLUTION


def state_dict(module: Module) -> dict[str, np.ndarray]:
    """Return a copy of every parameter and buffer: path -> float32 array."""
    ### BEGIN SOLUTION
    return {path: np.array(array) for path, array in state_arrays(module).items()}
    ### END SOLUTION


# %% nbgrader={"grade": false, "grade_id": "state-helpers", "locked": true, "schema_version": 3, "solution": false, "task": false}
class Tower(Module):
    """A House with a buffer of its own."""

    def __init__(self, rooms):
        self.register_buffer("height", [30])
        self.house = House(rooms)


def state_before_a_change():
    """The state of a House, taken before the House is painted over with zeros."""
    house = House([2])
    state = house.state_dict()
    house.roof.data[...] = 0
    house.cellar.area[...] = 0
    return state


# %% nbgrader={"grade": true, "grade_id": "test-state-dict", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_state_dict():
    """Every parameter and buffer by its path, and the numbers of the moment when it was taken."""
    names = ["cellar.area", "cellar.wall", "roof", "rooms.0.area", "rooms.0.wall"]
    check_equal(lambda: sorted(House([3]).state_dict()), names)
    check_close(lambda: House([3]).state_dict()["rooms.0.area"], [9])
    check_close(lambda: state_before_a_change()["roof"], [[1, 2], [3, 4]])
    ### BEGIN HIDDEN TESTS
    check_close(lambda: state_before_a_change()["cellar.area"], [4])
    names = ["height", "house.cellar.area", "house.cellar.wall", "house.roof"]
    check_equal(lambda: sorted(Tower([]).state_dict()), names)
    check_close(lambda: Tower([]).state_dict()["height"], [30])
    check_close(lambda: House([5]).state_dict()["rooms.0.wall"], np.ones(5))
    shared = ["cellar.area", "cellar.wall", "roof", "rooms.0.area", "rooms.0.wall"]
    check_equal(lambda: sorted(House([3], shared=True).state_dict()), shared)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_state_dict()

# %% [markdown]
r"""
### What differs?

You load last week's file into this week's model, in which one layer has a new name and another a new size. Three answers are
possible. The worst: load what fits and say nothing. Better: stop at the first difference; you fix it, and meet the second. Best: list **all**
differences at once, before a single number has changed.

```
{"hidden.weight": (32, 64), "hidden.bias": (32,), "head.weight": (10, 32)}       the model
{"hidden.weight": (32, 60), "hidden.bias": (32,), "output.weight": (10, 32)}     the file

missing: head.weight; unexpected: output.weight; hidden.weight has shape (32, 60), but the model needs (32, 64)
```

Finding them is yours; making a sentence of them is given.
"""

# %% nbgrader={"grade": false, "grade_id": "state-differences", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def state_differences(
    own: dict[str, tuple[int, ...]], given: dict[str, tuple[int, ...]]
) -> tuple[list[str], list[str], list[str]]:
    """Compare the names and shapes of a state with those that a model has.

    Args:
        own: path -> shape in the model.
        given: path -> shape in the state to load.

    Returns:
        Three lists of paths: missing in the state; unexpected in it; of another shape in it.

    TODO: the three lists.
    APPROACH: 1. paths only in `own` are missing  2. those only in `given` are unexpected
        3. compare the shapes of the others
    EXAMPLE:
        >>> state_differences({"w": (2, 3), "b": (3,)}, {"w": (3, 2), "v": (3,)})
        (['b'], ['v'], ['w'])

    HINT: `path not in given` asks for a name; shapes are tuples, and `!=` compares all sizes.
    """
    ### BEGIN SOLUTION
    missing = [path for path in own if path not in given]
    unexpected = [path for path in given if path not in own]
    reshaped = [path for path in own if path in given and given[path] != own[path]]
    return missing, unexpected, reshaped
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-state-differences", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
def test_unit_state_differences():
    """Agreement gives three empty lists; each kind of difference has its own."""
    model = {"hidden.weight": (32, 64), "hidden.bias": (32,)}
    older = {"extra": (1,)}
    turned = {"hidden.weight": (64, 32), "hidden.bias": (32,)}

    def found(own, given):
        return tuple(sorted(paths) for paths in state_differences(own, given))

    check_equal(lambda: found(model, dict(reversed(model.items()))), ([], [], []))
    missing = ["hidden.bias", "hidden.weight"]
    check_equal(lambda: found(model, older), (missing, ["extra"], []))
    check_equal(lambda: found(model, turned), ([], [], ["hidden.weight"]))
    ### BEGIN HIDDEN TESTS
    own = {"a": (2,), "b": (3, 1), "c": (4,), "d": ()}
    given = {"b": (1, 3), "c": (4,), "d": (1,), "x": (2,), "y": (2,)}
    check_equal(lambda: found(own, given), (["a"], ["x", "y"], ["b", "d"]))
    check_equal(lambda: found(given, own), (["x", "y"], ["a"], ["b", "d"]))
    check_equal(lambda: found({}, {}), ([], [], []))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_state_differences()

# %% [markdown]
r"""
### Loading: all or nothing

`check_state`, folded below, takes your three lists and raises a `ValueError` if they are not empty (with `strict=False` only for shapes). Then the
numbers go **into the arrays that are there**: whoever holds one of them, and the order in which a weight lies in memory, stays right.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-check-state", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def holds(kind: np.dtype, numbers: np.ndarray) -> bool:
    """Whether an array of this type can hold these numbers exactly."""
    with np.errstate(invalid="ignore"):  # nan and infinity have no whole number
        return np.array_equal(numbers.astype(kind), numbers)


def check_state(
    own: dict[str, np.ndarray], given: dict[str, np.ndarray], strict: bool = True
) -> None:
    """Refuse a state that does not fit a model.

    Args:
        own: path -> array in the model.
        given: path -> array in the state to load.
        strict: whether the names must agree; else only the shapes of those that both have.

    Raises:
        ValueError: they differ; every missing, unexpected and misshapen path is named, and every
            one whose numbers its type cannot hold. Or an array of the model is saved for a
            backward() that is still to come (module 05).
    """
    shapes = ({path: array.shape for path, array in arrays.items()} for arrays in (own, given))
    missing, unexpected, reshaped = state_differences(*shapes)
    problems = [f"missing: {', '.join(missing)}"] if strict and missing else []
    problems += [f"unexpected: {', '.join(unexpected)}"] if strict and unexpected else []
    problems += [
        f"{path} has shape {given[path].shape}, but the model needs {own[path].shape}"
        for path in reshaped
    ]
    problems += [
        f"{path} holds {own[path].dtype} in the model, and other numbers in the state"
        for path in sorted(own.keys() & given.keys() - {*reshaped})
        if own[path].dtype != np.float32 and not holds(own[path].dtype, given[path])
    ]
    if problems:
        raise ValueError(f"the state does not fit the model: {'; '.join(problems)}")
    waiting = [path for path in given if path in own and not own[path].flags.writeable]
    if waiting:
        raise ValueError(
            f"load_state_dict: {', '.join(waiting)}: saved for a backward() that is still to come, "
            "so nothing was loaded. Call backward() first, or drop the graph (del the loss)."
        )


# %% nbgrader={"grade": false, "grade_id": "load-state-dict", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def load_state_dict(module: Module, state: dict[str, Any], strict: bool = True) -> None:
    """Copy the numbers of `state`, as `state_dict()` returns it, into a module.

    Args:
        module: the model to change.
        state: path -> numbers: arrays, lists or Tensors.
        strict: whether the names must agree; otherwise only those that both have are copied.

    Raises:
        ValueError: names or shapes do not agree; all differences are listed, nothing is changed.

    TODO: check first, then copy.
    APPROACH: 1. the module's own arrays, from state_arrays  2. the state's numbers as arrays
        3. check_state(own, given, strict)  4. write each of the given into the one that is there
    EXAMPLE:
        >>> net = Module()
        >>> net.w = Parameter([1, 2])
        >>> load_state_dict(net, {"w": [3, 4]})
        >>> net.w.data
        array([3., 4.], dtype=float32)

    HINT: `stored` makes an array of anything; `array[...] = other` writes into `array`.
    """
    ### BEGIN SOLUTION
    own = state_arrays(module)
    given = {path: stored(numbers) for path, numbers in state.items()}
    check_state(own, given, strict)
    for path, array in own.items():
        if path in given:
            array[...] = given[path]
    ### END SOLUTION


# %% nbgrader={"grade": false, "grade_id": "load-helpers", "locked": true, "schema_version": 3, "solution": false, "task": false}
OLD, NEW = [[[1, 2], [3, 4]], [1, 1], [4]], [[[5, 6], [7, 8]], [2, 3], [6]]  # roof, wall, area
STATE = dict(zip(["roof", "cellar.wall", "cellar.area"], NEW, strict=True))


def arrays_of(house):
    """The three arrays of a House([])."""
    return [house.roof.data, house.cellar.wall.data, house.cellar.area]


def loaded(state, strict=True):
    """What loading does to a new House([]), as lists.

    Returns:
        "refused": whether there was a ValueError; "there": the arrays that were there before;
        "now": the arrays that it has afterwards.
    """
    house, refused = House([]), False
    there = arrays_of(house)
    try:
        load_state_dict(house, state, strict)
    except ValueError:
        refused = True
    lists = ([array.tolist() for array in arrays] for arrays in (there, arrays_of(house)))
    return dict(zip(["refused", "there", "now"], [refused, *lists], strict=True))


def load(state, strict=True):
    """Load a state into a new House([])."""
    load_state_dict(House([]), state, strict)


# %% nbgrader={"grade": true, "grade_id": "test-load-state-dict", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_load_state_dict():
    """Every number arrives in the array that was there; a state that does not fit changes none."""
    check_equal(lambda: loaded(STATE), {"refused": False, "there": NEW, "now": NEW})
    wrong = {**STATE, "cellar.wall": [1, 2, 3]}
    unchanged = {"refused": True, "there": OLD, "now": OLD}
    check_equal(lambda: loaded(wrong), unchanged)
    check_equal(lambda: loaded({"roof": NEW[0]}), unchanged)
    check_raises(ValueError, lambda: load(wrong), mentions=["cellar.wall", "(3,)", "(2,)"])
    ### BEGIN HIDDEN TESTS
    check_raises(ValueError, lambda: load({**STATE, "attic": [1]}), mentions=["attic"])
    mixed = [OLD[0], [8, 9], OLD[2]]
    part = {"cellar.wall": [8, 9], "attic": [1]}
    expected = {"refused": False, "there": mixed, "now": mixed}
    check_equal(lambda: loaded(part, strict=False), expected)
    check_equal(lambda: loaded(wrong, strict=False), unchanged)
    check_equal(lambda: loaded({**STATE, "cellar.area": [[6]]}), unchanged)
    check_equal(lambda: loaded({"roof": NEW[0], "cellar.wall": NEW[1]}), unchanged)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_load_state_dict()

# %% [markdown]
r"""
## Where should the numbers start?

All zeros will not do: then all outputs of a layer are the same number, and they would stay the same for ever. So: random. But how large?

Take inputs of variance 1, and weights drawn around 0 with standard deviation $\sigma$. An output is a sum of $n$ products (n in-features), and the
variances of independent terms add up:

$$\mathrm{var}(y) = n\,\sigma^2\,\mathrm{var}(x)$$

One layer multiplies the spread (the standard deviation) by $\sigma\sqrt{n}$. Twenty layers of 256 do it twenty times over. Predict the spread after the last
one for $\sigma = 1$, for $\sigma = 1/n$, and for $\sigma = 1/\sqrt n$; then look.
"""


# %%
def analyze_spread():
    """The spread behind each of 20 linear layers of 256, for four scales of the weights."""
    n, depth = 256, 20
    rng = np.random.default_rng(0)
    scales = {"1": 1, "1 / n": 1 / n, "1 / sqrt(n)": n**-0.5}
    scales["1 / sqrt(3n): Linear's"] = (3 * n) ** -0.5
    fig, ax = plt.subplots(figsize=(5, 3))
    for marker, (name, scale) in zip("so^v", scales.items(), strict=True):
        x = Tensor(rng.normal(size=(64, n)))
        spread = [1.0]
        for _ in range(depth):
            x = linear(x, Tensor(scale * rng.normal(size=(n, n))))
            spread.append(x.data.std(dtype=np.float64))
        ax.semilogy(spread, marker=marker, markersize=4, label=f"std {name}")
        print(f"std {name:22} spread after {depth} layers: {spread[-1]:8.1e}")
    ax.set(xlabel="layers passed", ylabel="standard deviation")
    ax.set_title("Noise through 20 linear layers")
    ax.legend(fontsize=7)
    alt = "Spread against depth, logarithmic: std 1 climbs to 1e24, 1/n falls to 1e-24, "
    show(fig, alt=alt + "1/sqrt(n) stays at 1, Linear's own falls slowly")


if __name__ == "__main__":
    analyze_spread()

# %% [markdown]
r"""
Each line is straight, as it must be when every layer multiplies by the same factor: 16, 1/16 and 1. float32 ends at 3e38, so twelve more layers at
$\sigma = 1$ and everything is `inf`. Scale is not a detail of tuning; it decides whether there is anything left to tune.

The fourth line is what you are about to build, since it is what `torch.nn.Linear` does: weight and bias uniform between $-1/\sqrt{n}$ and $+1/\sqrt{n}$
(see its manual page). A uniform number in $\pm a$ has standard deviation $a/\sqrt3$, so the spread shrinks by 1.7 a layer. That is harmless in the
shallow nets of the coming modules. Deep ones use $\sqrt{2/n}$ behind a ReLU (He et al., *Delving deep into rectifiers*, 2015), or layers that
set the spread anew (modules 09 and 13).

### Shape is a promise to the reader, stride a promise to the machine

The weight has shape (out, in), as in PyTorch, so that you can exchange models. But `linear` multiplies by `weight.T`. If the numbers lie **column
by column**, `weight.T` is an ordinary (in, out) matrix in row order, which BLAS packs into its blocks straight through. The shape stays the same; only
the strides differ, and `Parameter` keeps them. All it takes is to draw the numbers as (in, out) and to transpose once:

```
generator().uniform(..., size=(in, out)).astype(np.float32).T
```
"""

# %% nbgrader={"grade": false, "grade_id": "linear-layer", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class Linear(Module):
    """A linear layer: y = x @ weight.T + bias, with weight (out, in) and bias (out,).

    Both are uniform in +-1/sqrt(in) at the start.

    Args:
        in_features: size of the last axis of the input.
        out_features: size of the last axis of the output.
        bias: whether a bias is added; without one, `self.bias` is None.

    TODO: draw the numbers in `__init__`, and use them in `forward`.
    APPROACH: 1. bound = 1 / sqrt(in_features)  2. the weight as above, in a Parameter
        3. the bias, or None  4. forward: call linear
    EXAMPLE:
        >>> layer = Linear(3, 2)
        >>> layer.weight.shape, layer.bias.shape, layer(Tensor([[1, 2, 3]])).shape
        ((2, 3), (2,), (1, 2))

    HINT: `generator().uniform(low, high, size=...)`, with module 01's generator of random numbers;
        pass the Tensors to `linear` by position.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        if in_features < 1 or out_features < 1:
            sizes = f"{in_features}, {out_features}"
            raise ValueError(f"Linear({sizes}): both sizes must be at least 1.")
        self.in_features, self.out_features = in_features, out_features
        self.weight = self.bias = None
        ### BEGIN SOLUTION
        bound = 1 / sqrt(in_features)
        numbers = generator().uniform(-bound, bound, size=(in_features, out_features))
        self.weight = Parameter(numbers.astype(np.float32).T)  # (in, out) -> (out, in), by columns
        if bias:
            self.bias = Parameter(generator().uniform(-bound, bound, size=out_features))
        ### END SOLUTION

    def forward(self, x: Tensor) -> Tensor:
        """Return the weighted sums of x's last axis: (..., in) -> (..., out)."""
        ### BEGIN SOLUTION
        return linear(x, self.weight, self.bias)
        ### END SOLUTION

    def extra_repr(self) -> str:
        sizes = f"in_features={self.in_features}, out_features={self.out_features}"
        return f"{sizes}, bias={self.bias is not None}"


# %% nbgrader={"grade": false, "grade_id": "dense-alias", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
Dense = Linear  # what Keras calls it

# %% nbgrader={"grade": true, "grade_id": "test-linear-layer", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_linear_layer():
    """Shapes, the scale of the numbers, and the same forward as linear()."""
    manual_seed(1)
    layer = Linear(64, 50)
    check_equal(lambda: (layer.weight.data.shape, layer.bias.data.shape), ((50, 64), (50,)))
    spread = [-0.1, 0, 0.1]  # a tenth, a half, nine tenths of uniform numbers in +-1/8 are below
    tenths = [0.1, 0.5, 0.9]
    check_close(lambda: np.quantile(Linear(64, 500).weight.data, tenths), spread, atol=0.01)
    check_close(lambda: Linear(64, 50).weight.data.std(), 0.125 / 3**0.5, rtol=0.1)
    x = np.random.default_rng(2).normal(size=(3, 64)).astype(np.float32)
    check_close(lambda: layer(Tensor(x)).data, linear(Tensor(x), layer.weight, layer.bias).data)
    ### BEGIN HIDDEN TESTS
    check_close(lambda: np.abs(Linear(400, 3).weight.data).max(), 0.05, rtol=0.1)
    check_close(lambda: Linear(400, 3).weight.data.mean(), 0.0, atol=0.005)
    check_close(lambda: Linear(100, 2000).bias.data.std(), 0.1 / 3**0.5, rtol=0.1)
    bare = Linear(3, 3, bias=False)
    check_equal(lambda: bare.bias, None)
    check_close(lambda: bare(Tensor(x[:, :3])).data, linear(Tensor(x[:, :3]), bare.weight).data)
    apart = np.abs(Linear(5, 4).weight.data - Linear(5, 4).weight.data)
    check_equal(lambda: float(apart.max()) > 0, True)
    manual_seed(9)
    first = Linear(5, 4).weight.data
    manual_seed(9)
    check_close(lambda: Linear(5, 4).weight.data, first)
    check_equal(lambda: Linear(5, 4).weight.requires_grad, True)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_linear_layer()

# %% [markdown]
r"""
## Dropout: training with gaps

Srivastava et al. (*Dropout: a simple way to prevent neural networks from overfitting*, 2014) set each activation to 0 with probability p while training,
drawn anew each time. No unit can rely on a certain other one being there, so each has to be useful by itself.

In evaluation nothing is dropped. But then the next layer gets sums that are larger than all it has seen: with p = 0.5 twice as large on
average. **Inverted dropout** settles it while training. What survives is divided by 1 - p, and evaluation is left untouched:

```
x                     2    4    6    8      sum 20
kept (p = 0.5)        1    0    0    1
training              4    0    0   16      sum 20, as it happens: on average it is
evaluation            2    4    6    8
```

Write it as one multiplication of Tensors, `x * mask`, where the mask holds 0 and 1/(1-p): the derivative of a product is all that it will need.
"""

# %% nbgrader={"grade": false, "grade_id": "check-probability", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def check_probability(p: float) -> None:
    """Refuse a share of dropped activations outside [0, 1].

    Raises:
        ValueError: p is negative, more than 1, or not a number.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: p is the share that is dropped, from 0 to 1, not {p}.")


# %% nbgrader={"grade": false, "grade_id": "dropout", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def dropout(x: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    """Set each element to 0 with probability p and divide the others by 1 - p.

    Outside training, return x itself.

    Args:
        x: activations of any shape.
        p: probability that an element is dropped, in [0, 1]; at 1 nothing is left to divide.
        training: whether to drop at all.

    Raises:
        ValueError: p outside [0, 1].

    TODO: inverted dropout as a product of x and a mask.
    APPROACH: 1. check_probability(p)  2. x itself, if not training or p is 0
        3. one random number for each element; keep where it is >= p
        4. mask = kept * 1/(1-p), as float32  5. x * mask
    EXAMPLE:
        >>> dropout(Tensor([1, 2, 3]), p=0.5, training=False).data
        array([1., 2., 3.], dtype=float32)

    HINT: `generator().random(x.shape, dtype=np.float32)` is uniform in [0, 1); `np.float32(...)`
        keeps the product in float32.
    """
    ### BEGIN SOLUTION
    check_probability(p)
    if not training or p == 0:
        return x
    kept = generator().random(x.shape, dtype=np.float32) >= p
    mask = kept * np.float32(1 / (1 - p) if p < 1 else 0)
    return x * mask
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-dropout", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_dropout():
    """The share that is dropped, the scale of the rest, and evaluation untouched."""
    manual_seed(3)
    x = np.tile(np.arange(1, 101, dtype=np.float32), (200, 1))  # 200 rows of 1, 2, ..., 100
    check_close(lambda: np.mean(dropout(Tensor(x), p=0.5).data == 0), 0.5, atol=0.02)
    check_close(lambda: dropout(Tensor(x), p=0.5).data.max(axis=0), 2 * x[0])
    check_close(lambda: dropout(Tensor(x), p=0.5, training=False).data, x)
    check_raises(ValueError, lambda: dropout(Tensor(x), 1.5), mentions=["p"])
    ### BEGIN HIDDEN TESTS
    check_close(lambda: np.mean(dropout(Tensor(x), p=0.2).data == 0), 0.2, atol=0.02)
    check_close(lambda: dropout(Tensor(x), p=0.2).data.max(axis=0), 1.25 * x[0])
    y = np.random.default_rng(4).uniform(1, 2, size=(40, 50, 20)).astype(np.float32)
    check_close(lambda: np.unique((dropout(Tensor(y), p=0.75).data / y).round(3)), [0, 4])
    shares = np.full(40, 0.2)
    check_close(lambda: (dropout(Tensor(y), p=0.2).data == 0).mean(axis=(1, 2)), shares, atol=0.1)
    again = dropout(Tensor(y), p=0.2).data
    check_equal(lambda: float(np.abs(dropout(Tensor(y), p=0.2).data - again).max()) > 0, True)
    check_close(lambda: dropout(Tensor(y), p=0).data, y)
    check_close(lambda: dropout(Tensor(y), p=1).data, 0 * y)
    check_raises(ValueError, lambda: dropout(Tensor(y), -0.1, False))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_dropout()

# %% nbgrader={"grade": false, "grade_id": "dropout-layer", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Dropout(Module):
    """Dropout as a layer: drops while `training`, does nothing after `eval()`; see dropout.

    Example:
        >>> Dropout(0.5).eval()(Tensor([1, 2, 3])).data
        array([1., 2., 3.], dtype=float32)
    """

    def __init__(self, p: float = 0.5) -> None:
        check_probability(p)
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Return x with gaps while training, x itself otherwise."""
        return dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"


# %% [markdown]
r"""
For PyTorch's spellings: containers that are plain lists and dicts with a name, and `nn.init`, ways to fill a Parameter with numbers. Nothing new; open the cell if you want to read it.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-everyday-layers", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
from tinytorch.core.tensor import ONE_DEVICE

NO_MODULE_HAS = {  # names of PyTorch's that a Module does not have: what to write
    "to": ONE_DEVICE, "cuda": ONE_DEVICE, "cpu": ONE_DEVICE,
    "double": "every number is float32", "half": "every number is float32",
    "float": "every number is float32: leave the call out",
    "register_parameter": "self.name = Parameter(values)",
    "add_module": "self.name = module", "register_module": "self.name = module",
    "register_forward_hook": "let forward print or keep what you want to see",
    "share_memory": "leave the call out",
    "requires_grad_": "for p in model.parameters(): p.requires_grad = False",
    "get_parameter": "dict(model.named_parameters())[path]",
    "apply": "for module in dict(model.named_modules()).values(): ...",
    "buffers": "model.state_dict()", "modules": "dict(model.named_modules()).values()",
}  # fmt: skip


class ModuleList(list):
    """A list of Modules; a plain list on a Module does the same.

    Example:
        >>> net = Module()
        >>> net.layers = ModuleList([Linear(2, 3), Linear(3, 1)])
        >>> [path for path, _ in net.named_parameters()][:2]
        ['layers.0.weight', 'layers.0.bias']
    """


class ModuleDict(dict):
    """A dict of Modules; a plain dict on a Module does the same."""


class ParameterList(list):
    """A list of Parameters; a plain list on a Module does the same."""


class Identity(Module):
    """Hands its input on."""

    def forward(self, x: Tensor) -> Tensor:
        """Return x itself."""
        return x


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """How many inputs and outputs each weight of `shape` (out, in, ...) connects.

    Raises:
        ShapeError: fewer than two axes.
    """
    if len(shape) < 2:
        raise ShapeError(
            f"init: shape {shape} has no inputs and outputs to count: two axes are needed."
        )
    field = prod(shape[2:])
    return shape[1] * field, shape[0] * field


def fill(parameter: Tensor, numbers: np.ndarray) -> Tensor:
    """Write numbers into a Tensor, in its own order in memory, and return it."""
    parameter.data[...] = numbers
    return parameter


def uniform_(parameter: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """Uniform random numbers between a and b."""
    return fill(parameter, generator().uniform(a, b, size=parameter.shape))


def normal_(parameter: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Normal random numbers."""
    return fill(parameter, generator().normal(mean, std, size=parameter.shape))


def constant_(parameter: Tensor, val: float) -> Tensor:
    """One number everywhere."""
    return fill(parameter, np.float32(val))


def zeros_(parameter: Tensor) -> Tensor:
    """Zeros."""
    return constant_(parameter, 0.0)


def ones_(parameter: Tensor) -> Tensor:
    """Ones."""
    return constant_(parameter, 1.0)


def xavier_uniform_(parameter: Tensor, gain: float = 1.0) -> Tensor:
    """Uniform with variance gain^2 * 2 / (in + out) (Glorot and Bengio, 2010)."""
    bound = gain * sqrt(6 / sum(fans(parameter.shape)))
    return uniform_(parameter, -bound, bound)


def xavier_normal_(parameter: Tensor, gain: float = 1.0) -> Tensor:
    """Normal with variance gain^2 * 2 / (in + out) (Glorot and Bengio, 2010)."""
    return normal_(parameter, 0.0, gain * sqrt(2 / sum(fans(parameter.shape))))


def he_gain(a: float, nonlinearity: str) -> float:
    """Makes up for a bend: sqrt(2) for "relu", sqrt(2 / (1 + a^2)) for "leaky_relu", else 1."""
    gains = {"relu": sqrt(2), "leaky_relu": sqrt(2 / (1 + a * a)), "linear": 1.0}
    if nonlinearity not in gains:
        raise ValueError(f"init: nonlinearity {nonlinearity!r} is not one of {', '.join(gains)}.")
    return gains[nonlinearity]


def kaiming_uniform_(
    parameter: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Tensor:
    """Uniform with variance gain^2 / fan (He et al., 2015); see he_gain."""
    bound = he_gain(a, nonlinearity) * sqrt(3 / fans(parameter.shape)[mode == "fan_out"])
    return uniform_(parameter, -bound, bound)


def kaiming_normal_(
    parameter: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Tensor:
    """Normal with variance gain^2 / fan (He et al., 2015); see he_gain."""
    fan = fans(parameter.shape)[mode == "fan_out"]
    return normal_(parameter, 0.0, he_gain(a, nonlinearity) / sqrt(fan))


# %% [markdown]
r"""
## Measure: the same product, four ways

Your predictions are due: what do one large product, a bias added in place, and a weight that lies column by column each save?
"""


# %%
def compare_products(x, by_rows, bias):
    """Print what flattening, adding in place and the order of the weight each save on x."""
    by_columns = np.asfortranarray(by_rows)

    def flat(x, weight, bias):
        return (x.reshape(-1, x.shape[-1]) @ weight.T + bias).reshape(*x.shape[:-1], -1)

    ways = {
        "as written: x @ W.T + b": lambda: x @ by_rows.T + bias,
        "leading axes flattened": lambda: flat(x, by_rows, bias),
        "and bias in place": lambda: linear.__wrapped__(x, by_rows, bias),
        "and W by columns": lambda: linear.__wrapped__(x, by_columns, bias),
    }
    times = {name: timing.low_ms for name, timing in compare(ways).items()}
    peaks = {name: peak_bytes(way) / 2**20 for name, way in ways.items()}
    before = None
    for name in ways:
        change = f", {times[name] / times[before]:4.2f} of the line above" if before else ""
        print(f"{name:25} {times[name]:7.3f} ms {peaks[name]:5.2f} MB{change}")
        before = name


def compare_orders(batch, weight):
    """Print what the order of the weight in memory saves on a batch of so many rows."""
    columns_first = np.asfortranarray(weight)
    x = np.ones((batch, weight.shape[1]), dtype=np.float32)
    orders = {"rows": lambda: x @ weight.T, "columns": lambda: x @ columns_first.T}
    rows, columns = (timing.low_ms * 1e3 for timing in compare(orders, samples=100).values())
    saved = f"{100 * (1 - columns / rows):3.0f} % saved"
    print(f"{batch:3} rows: W by rows {rows:6.1f} us, by columns {columns:6.1f} us, {saved}")


def analyze_linear():
    """x @ W.T + b: batched or flattened, bias copied or in place, W by rows or by columns."""
    rng = np.random.default_rng(0)
    x = rng.random((1024, 4, 64), dtype=np.float32)
    weight = rng.random((64, 64), dtype=np.float32)
    print("(1024, 4, 64) -> 64")
    compare_products(x, weight, np.zeros(64, dtype=np.float32))
    print("(rows, 784) -> 128, fastest of 100")
    for batch in (1, 8, 64):
        compare_orders(batch, rng.random((128, 784), dtype=np.float32))


if __name__ == "__main__":
    analyze_linear()

# %% [markdown]
r"""
Read your own figures. If the second line takes less than the first, flattening paid: 1,024 products of 4 rows each cost 1,024 starts, and none is large enough for BLAS
to reuse what it has in the cache. How much that is depends on the BLAS and the machine. Adding in place halves the peak memory, whatever it does to the time: one array
of the result's size instead of two. Memory is what you run out of first.

The order of the weight tells you how BLAS works. Before it multiplies, it packs the weight into small blocks, reading it once: in order if the
weight lies by columns, against the grain if by rows. What that saves depends on the batch, the BLAS and the machine: your last three lines say it for yours, and a few per cent
either way are noise. All it costs is one `.T` in a constructor.

The arithmetic is the same in all of them. What differs is how often the machine is asked, and how it finds the numbers lying.

## The whole module

No training yet, but a network that reads: leave the first layer **random**, and only solve for the second one. 64 pixels become 512 random
features; the weights that turn them into ten scores are a least-squares problem, which linear algebra solves in one step
(Rahimi and Recht, *Random features for large-scale kernel machines*, 2007). What comes out goes into your model through `load_state_dict`.

Guess the share of the last 397 digits that it reads correctly. Before, with random weights in both layers?
"""

# %% nbgrader={"grade": false, "grade_id": "digits-mlp", "locked": true, "schema_version": 3, "solution": false, "task": false}
class DigitsMLP(Module):
    """64 pixels, `width` hidden units with dropout, 10 scores."""

    def __init__(self, width):
        self.hidden = Linear(64, width)
        self.gaps = Dropout(0.2)
        self.output = Linear(width, 10)

    def features(self, x):
        return relu(self.hidden(x))  # (B, 64) -> (B, width)

    def forward(self, x):
        return self.output(self.gaps(self.features(x)))  # (B, width) -> (B, 10)


def share_right(model):
    """Share of the last 397 digits to whose label the model gives the highest score."""
    pixels, labels = load_digits()
    scores = model.eval()(Tensor(pixels[1400:]))  # (397, 10)
    return float(np.mean(scores.data.argmax(axis=1) == labels[1400:]))


def solve_output(model):
    """Load the output weights that come closest to 1 for the label and 0 else, squared."""
    pixels, labels = load_digits()
    features = model.features(Tensor(pixels[:1400])).data  # (1400, width)
    design = np.column_stack([features, np.ones(1400)])  # float64; the last column meets the bias
    target = np.eye(10)[labels[:1400]]
    normal = design.T @ design + 0.1 * np.eye(design.shape[1])  # 0.1 keeps the solution small
    solution = np.linalg.solve(normal, design.T @ target)  # (width + 1, 10)
    state = model.state_dict()
    state["output.weight"], state["output.bias"] = solution[:-1].T, solution[-1]
    model.load_state_dict(state)


# %% nbgrader={"grade": true, "grade_id": "test-module-layers", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_module():
    """Names, counts and shapes, digits read with random features, a state that comes back."""
    manual_seed(0)
    model = DigitsMLP(512)
    check_equal(
        lambda: list(model.state_dict()),
        ["hidden.weight", "hidden.bias", "output.weight", "output.bias"],
    )
    check_equal(lambda: sum(parameter.numel() for parameter in model.parameters()), 38410)
    solve_output(model)
    check_equal(lambda: share_right(model) > 0.9, True)
    ### BEGIN HIDDEN TESTS
    x = np.random.default_rng(5).uniform(size=(2, 3, 64)).astype(np.float32)
    model = DigitsMLP(8)
    twin = DigitsMLP(8)
    twin.load_state_dict(model.state_dict())
    expected = model.eval()(Tensor(x)).data
    check_close(lambda: twin.eval()(Tensor(x)).data, expected)
    s = model.state_dict()
    h = np.maximum(x @ s["hidden.weight"].T + s["hidden.bias"], 0)
    by_hand = h @ s["output.weight"].T + s["output.bias"]
    check_close(lambda: model.eval()(Tensor(x)).data, by_hand)
    check_raises(
        ValueError,
        lambda: model.load_state_dict(DigitsMLP(9).state_dict()),
        mentions=["hidden.weight", "output.weight"],
    )
    check_equal(lambda: float(np.abs(model.train()(Tensor(x)).data - expected).max()) > 0, True)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_module()


# %%
def show_answers(model, count=12):
    """Draw the first of the last 397 digits, each with the model's answer above it."""
    pixels, labels = load_digits()
    pixels, labels = pixels[1400 : 1400 + count], labels[1400 : 1400 + count]
    answers = model.eval()(Tensor(pixels)).data.argmax(axis=1)
    fig, axes = plt.subplots(2, count // 2, figsize=(5, 2.2))
    for ax, image, label, answer in zip(axes.flat, pixels, labels, answers, strict=True):
        ax.imshow(image.reshape(8, 8), cmap="gray_r")
        ax.set_title(f"{answer}" if answer == label else f"{answer}, is {label}", fontsize=9)
        ax.axis("off")
    right = int((answers == labels).sum())
    show(fig, alt=f"{count} handwritten digits under the model's answers; {right} are right")


def analyze_digits():
    """The network, what it reads before and after its output layer is solved, its first answers."""
    model = DigitsMLP(512)
    print(model)
    print(f"read correctly with random weights: {share_right(model):.3f}", end="; ")
    solve_output(model)
    print(f"with a solved output layer: {share_right(model):.3f}")
    show_answers(model)


if __name__ == "__main__":
    analyze_digits()

# %% [markdown]
r"""
**Question.** A friend stacks fifty `Linear(256, 256)` with a `relu` behind each, and finds that the untrained network gives nearly the same scores
for every picture. Estimate by what factor one such layer multiplies the part of the signal that depends on the picture, and what is left of it after fifty;
say where the scores come from instead, and what you would change.
"""

# %% [markdown] nbgrader={"grade": true, "grade_id": "q-fifty-layers", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
r"""
Weights uniform in ±1/√n have variance 1/(3n), so a layer multiplies the mean square by n · 1/(3n) = 1/3, and relu, which drops the negative half, by another
1/2: 1/6 in the mean square, about 0.41 in the spread. Fifty layers leave 0.41^50, about 10^-19.5, of what the pictures differ by, far below the seven digits of float32.
The scores then come from the biases, which are added anew in each layer and are the same for every picture. Remedy: draw the weights with variance 2/n (He et al.
2015), which makes the factor 1, and start the biases at 0; or set the spread anew in every layer (normalisation), or let the input skip layers.
"""

# %% [markdown]
r"""
**To think about.** A `set` of modules stored on `self` is not opened by `members`, though a `dict` is. What would you see if a student stored layers in one, and how soon?

You can build a model, find its numbers, save and restore it. It still does not know when it is wrong. **Module 04** puts a number on that.
"""
