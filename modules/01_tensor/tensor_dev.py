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
# Module 01: Tensor

A photograph, a sentence, the 175 billion weights of GPT-3: to the machine each is one block of numbers
and a note that says how to read it. Today you build the object that holds both, and everything you
build later, up to a transformer, is arithmetic on it.

**Needs** Python and a little NumPy | **Exports** `tinytorch.core.tensor` | **About** 4 hours | **Points** 60
"""

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| default_exp core.tensor
#| export
import ctypes
import operator
import os
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from math import prod
from typing import Any, NamedTuple

import numpy as np

# %% nbgrader={"grade": false, "grade_id": "page-imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
import matplotlib.pyplot as plt  # this page only: plots and measurements are not exported

from tito.lab import bench, check_close, check_equal, check_raises, check_without, compare
from tito.lab import load_digits, show

# %% [markdown]
r"""
## A block of numbers

Twelve numbers in a row can be a vector, a 3 x 4 table or a 2 x 2 x 3 cube. The numbers never move; only the
**shape**, the note on how to read them, changes:

```
memory          0  1  2  3  4  5  6  7  8  9 10 11        float32, 4 bytes each

shape (3, 4)    [[0  1  2  3]        shape (2, 6)    [[0  1  2  3  4  5]
                 [4  5  6  7]                         [6  7  8  9 10 11]]
                 [8  9 10 11]]
```

Two decisions come first, and you write them down in one line:

- **float32 everywhere.** A Python float has 8 bytes; 4 are enough to learn with, and half the bytes are half the traffic.
- **A block owns its numbers.** It *copies* what it is given, so that nobody changes your weights behind your back.
"""

# %% nbgrader={"grade": false, "grade_id": "block", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class Block:
    """Float32 numbers with a shape: what every Tensor is made of.

    TODO: write the five bodies below.
    APPROACH: 1. keep the copy in `self._data`, a NumPy array  2. ask that array in the others
    EXAMPLE:
        >>> block = Block([[1, 2, 3], [4, 5, 6]])
        >>> block.shape, block.numel()
        ((2, 3), 6)

    HINT: `np.array(data, dtype=...)` copies, `np.asarray` does not if it can help it.
    """

    __slots__ = ("_data",)  # the only attribute: a misspelt one is an error

    def __init__(self, data: Any) -> None:
        """Copy numbers, nested lists or an array into a new float32 array."""
        ### BEGIN SOLUTION
        self._data = np.array(data, dtype=np.float32)
        ### END SOLUTION

    @property
    def shape(self) -> tuple[int, ...]:
        """Size along each axis."""
        ### BEGIN SOLUTION
        return self._data.shape
        ### END SOLUTION

    def numel(self) -> int:
        """Number of elements."""
        ### BEGIN SOLUTION
        return self._data.size
        ### END SOLUTION

    def item(self) -> float:
        """The only element, as a Python number; of several, a ValueError that names the shape."""
        ### BEGIN SOLUTION
        if self._data.size != 1:
            raise ValueError(
                f"item() needs one element, not shape {self.shape}: index or reduce first."
            )
        return self._data.item()
        ### END SOLUTION

    def numpy(self) -> np.ndarray:
        """A copy of the numbers."""
        ### BEGIN SOLUTION
        return self._data.copy()
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-block", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_block():
    """Numbers are copied as float32, and the block can say how many there are."""
    table, ones = np.array([[1, 2, 3], [4, 5, 6]]), np.ones(3, dtype=np.float32)
    check_close(lambda: Block(table).numpy(), table)
    check_equal(lambda: Block(table).numpy().dtype.name, "float32")
    memory = {True: "shared", False: "its own"}
    check_equal(lambda: memory[np.shares_memory(Block(ones)._data, ones)], "its own")
    check_equal(lambda: Block(table).shape, (2, 3))
    check_equal(lambda: Block(table).numel(), 6)
    check_equal(lambda: Block(7).item(), 7.0)
    check_raises(ValueError, lambda: Block([1, 2]).item(), mentions=["(2,)"])
    ### BEGIN HIDDEN TESTS
    check_equal(lambda: Block([[0.5], [1.5], [2.5]]).shape, (3, 1))
    check_equal(lambda: Block([]).numel(), 0)
    check_equal(lambda: Block([[[2.5]]]).item(), 2.5)
    block = Block(np.arange(4, dtype=np.float64))
    check_equal(lambda: memory[np.shares_memory(block.numpy(), block._data)], "its own")
    check_raises(ValueError, lambda: Block([]).item(), mentions=["(0,)"])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_block()

# %% [markdown]
r"""
## Where does element [1, 3] lie?

Memory has no rows. To find an element, the machine steps from the first byte of the block: so many bytes for each step along an
axis. These numbers are the **strides**. In row order the last axis is the dense one; a step along any other must jump over
everything to its right:

```
memory              0  1  2  3  4  5  6  7  8  9 10 11        4 bytes each

shape (12,)         strides (4,)       element [7]     at byte  7*4        = 28
shape (3, 4)        strides (16, 4)    element [1, 3]  at byte  1*16 + 3*4 = 28
shape (4, 3).T      strides (4, 16)    element [3, 1]  at byte  3*4 + 1*16 = 28
```

The third line is the transpose of the second: swap two strides and leave the numbers where they are. (In module 09, six
strides turn an image into all its windows without copying a pixel.) Which strides has shape (2, 3, 5)?
"""

# %% nbgrader={"grade": false, "grade_id": "strides", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def row_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the bytes to step along each axis of a float32 block in row order.

    TODO: this function and `byte_offset` below, without asking NumPy.
    APPROACH: 1. begin at the last axis with 4 bytes  2. each size that you pass multiplies the step
    EXAMPLE:
        >>> row_strides((3, 4))
        (16, 4)

    HINT: walk over `reversed(shape)`.
    """
    ### BEGIN SOLUTION
    strides, step = [], 4
    for size in reversed(shape):
        strides.insert(0, step)
        step *= size
    return tuple(strides)
    ### END SOLUTION


def byte_offset(index: tuple[int, ...], strides: tuple[int, ...]) -> int:
    """Return how many bytes after the first element the one at `index` lies.

    Example:
        >>> byte_offset((1, 3), (16, 4))
        28
    """
    ### BEGIN SOLUTION
    return sum(i * stride for i, stride in zip(index, strides, strict=True))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-strides", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_strides():
    """A table and its transpose find the same byte."""
    check_without(row_strides, "np")
    check_equal(lambda: row_strides((3, 4)), (16, 4))
    check_equal(lambda: byte_offset((1, 3), row_strides((3, 4))), 28)
    check_equal(lambda: byte_offset((3, 1), (4, 16)), 28)
    check_equal(lambda: row_strides((2, 3, 5)), (60, 20, 4))
    ### BEGIN HIDDEN TESTS
    check_equal(lambda: row_strides((7, 1, 2, 6)), (48, 48, 24, 4))
    check_equal(lambda: row_strides((9,)), (4,))
    check_equal(lambda: row_strides(()), ())
    check_equal(lambda: byte_offset((4, 2, 3), (4, 80, 20)), 236)
    check_equal(lambda: byte_offset((), ()), 0)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_strides()

# %% [markdown]
r"""
NumPy keeps the same book. Predict the strides of the last two lines before you run the cell: every other column, and a row
that is repeated three times.
"""


# %%
def analyze_strides():
    """Shapes and strides of one table read in five ways, and whether its numbers were copied."""
    table = np.arange(12, dtype=np.float32).reshape(3, 4)
    ways = {
        "table": table,
        "table.T": table.T,
        "table.reshape(2, 6)": table.reshape(2, 6),
        "table[:, ::2]": table[:, ::2],
        "table[0], 3 times": np.broadcast_to(table[0], (3, 4)),
    }
    for name, x in ways.items():
        copied = "no copy" if np.shares_memory(x, table) else "a copy"
        print(f"{name:20} shape {x.shape}   strides {x.strides!s:8} {copied}")


if __name__ == "__main__":
    analyze_strides()

# %% [markdown]
r"""
## From a block to a Tensor

`Tensor` is your `Block` with operators. The rest of this page fills them in, one function on arrays at a time, in this form:

```
@op                        Tensor + Tensor
def add(a, b):                    |  unwrap: out come two arrays
    return a + b                  |  add(a, b), yours
                                  v  wrap: in goes one array
                               Tensor
```

`@op` is the one gate through which every operation passes. So module 05 can watch them all and compute derivatives, and no line
that you write today will have to change. Until then `requires_grad`, `grad` and `backward` lie dormant.

Three folded cells come next. Run them; look inside when you are curious. The first is the gate: it takes numbers in, unwraps,
calls your function, wraps the result, and puts NumPy's complaints into words.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "gate", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
FLOAT32 = np.dtype(np.float32)

_new = object.__new__  # makes a Tensor without running __init__, which would copy
_engine: Any = None  # module 05 puts its autograd engine here


def set_engine(engine: Any) -> None:
    """Give every operation an autograd engine to report to; `None` switches reporting off."""
    global _engine
    _engine = engine


class ShapeError(ValueError):
    """Shapes that do not fit together; the message names them and the cure."""


class AxisError(ShapeError, IndexError):
    """An axis that a shape does not have."""


def real_numbers(data: Any) -> np.ndarray:
    """What a Block is filled from: an array of real numbers, of whatever type.

    Raises:
        ShapeError: nested lists of different lengths.
        TypeError: anything that is not a real number.
    """
    if isinstance(data, Tensor):
        return data._data
    if isinstance(data, np.ndarray) and data.dtype is FLOAT32:
        return data
    if isinstance(data, list | tuple) and any(isinstance(item, Tensor) for item in data):
        raise TypeError(
            "Tensor([...]) takes numbers, not Tensors: join Tensors with stack([...]) or "
            "cat([...])."
        )
    try:
        array = np.array(data)
    except ValueError:
        lengths = [len(row) if isinstance(row, list | tuple) else 1 for row in data]
        raise ShapeError(
            f"rows of lengths {lengths[:8]} make no rectangle: pad or cut them to one length."
        ) from None
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"a Tensor holds real numbers, not {array.dtype} ({data!r:.40}): convert the data "
            "first."
        )
    return array


def as_array(data: Any) -> np.ndarray:
    """Copy numbers, nested lists, an array or a Tensor into a new float32 array, as Block does.

    Raises:
        ShapeError, TypeError: see real_numbers.

    Example:
        >>> as_array([[1, 2], [3, 4]])
        array([[1., 2.],
               [3., 4.]], dtype=float32)
    """
    return Block(real_numbers(data))._data


FIXED = (int, float, str, np.generic)  # values that cannot change


def own(value: Any) -> Any:
    """What an operation keeps of an argument that is no Tensor: of arrays and lists a plain copy,
    since theirs may change.

    Returns:
        the value itself if it cannot change; an array for whatever holds numbers, float32 if
        they are floats.

    Raises:
        ShapeError: ragged lists.
        TypeError: a list with Tensors in it, whose derivatives would be lost.
    """
    if value is None or isinstance(value, FIXED):
        return value
    if type(value) is np.ndarray:
        return (
            value.copy()
            if value.dtype is FLOAT32 or value.dtype.kind != "f"
            else value.astype(np.float32)
        )
    if isinstance(value, tuple):
        return tuple(own(part) for part in value)
    if isinstance(value, list) and any(isinstance(part, Tensor) for part in value):
        raise TypeError(
            "a list of Tensors is no operand: join them with stack([...]) or cat([...]) first."
        )
    try:
        array = np.asarray(value)
    except ValueError:
        raise ShapeError(f"rows of different lengths make no rectangle: {value!r:.60}.") from None
    if array.dtype.kind == "O":  # a slice, a function, an object of the operation's own
        return value
    return np.array(array, dtype=np.float32 if array.dtype.kind == "f" else None)


def own_options(name: str, options: dict[str, Any], known: Sequence[str] = ()) -> dict[str, Any]:
    """The options of an operation, owned, with PyTorch's words `dim` and `keepdim` put into
    NumPy's.

    Raises:
        TypeError: a Tensor among them, both words for one thing, or a word that is not among
            those `known`.
    """
    if any(isinstance(value, Tensor) for value in options.values()):
        raise TypeError(f"{name}: pass Tensors by position, not by name.")
    options = {word: own(value) for word, value in options.items()}
    for theirs, ours in (("dim", "axis"), ("keepdim", "keepdims")):
        if theirs in options:
            value = options.pop(theirs)
            if options.get(ours):
                raise TypeError(
                    f"{name}: {theirs} and {ours} are two words for one thing, pass one of them."
                )
            options[ours] = value
    for word in options if known else ():
        if word not in known:
            cure = (
                "nn.CrossEntropyLoss and its sisters take it"
                if word in ("reduction", "label_smoothing")
                else f"there are {', '.join(known)}"
            )
            raise TypeError(f"{name} has no option {word}: {cure}.")
    return options


def op(forward: Callable) -> Callable:
    """Turn a function on float32 arrays into an operation on Tensors.

    Tensors come first among the arguments and are handed to `forward` as arrays; of other arrays
    it gets a copy (see own). A parameter with the name `axis` is checked, and counted from the
    front. The result comes back as a float32 Tensor. A `forward` that returns a pair keeps its
    second part for the derivative (module 05). NumPy's complaints about shapes are put into words.
    """
    code = forward.__code__
    count = code.co_argcount + code.co_kwonlyargcount
    names = code.co_varnames[:count]  # the parameters, in order
    axis_place = names.index("axis") if "axis" in names else None
    title = forward.__name__.removeprefix("reduce_")  # what a student calls it

    def apply(*inputs: Any, **options: Any) -> "Tensor":
        if options:
            options = own_options(title, options, names)
        arrays = []
        tracked = False
        for x in inputs:
            if isinstance(x, Tensor):
                arrays.append(x._data)
                if x._requires_grad:
                    tracked = True
            else:
                arrays.append(own(x))
        if axis_place is not None:
            if "axis" in options:
                options["axis"] = check_axes(title, options["axis"], np.shape(arrays[0]))
            elif code.co_argcount > axis_place and len(arrays) > axis_place:
                arrays[axis_place] = check_axes(title, arrays[axis_place], np.shape(arrays[0]))
        try:
            result = forward(*arrays, **options)
        except ShapeError:
            raise
        except ValueError as error:
            raise ShapeError(explain_shapes(forward.__name__, arrays, error)) from None
        saved = None
        if type(result) is tuple:
            result, saved = result
        out = wrap(result)
        if tracked and _engine is not None:
            _engine.record(apply, out, inputs, arrays, options, saved)
        return out

    apply.__name__ = forward.__name__
    apply.__doc__ = forward.__doc__
    apply.__wrapped__ = forward
    apply.names = names
    apply.takes = code.co_argcount  # how many of them may be given by position
    last = reversed(forward.__defaults__ or ())
    apply.defaults = dict(zip(reversed(names[: apply.takes]), last, strict=False))
    apply.defaults |= forward.__kwdefaults__ or {}
    apply.rules = None  # derivative rules, from module 05 on
    return apply


def explain_shapes(name: str, arrays: Sequence[Any], error: ValueError) -> str:
    """Say which shapes an operation could not combine, and what to try."""
    shapes = [x.shape for x in arrays if isinstance(x, np.ndarray)]
    if len(shapes) == 2 and name in ("add", "sub", "mul", "div", "power"):
        a, b = shapes
        try:
            broadcast_shape(a, b)
        except ShapeError as refusal:
            return f"{name}: {refusal} Reshape one side, or add an axis of size 1 with unsqueeze."
    return (
        f"{name}: shapes {', '.join(map(str, shapes))} do not fit ({error}). Print .shape before "
        "the call."
    )


def wrap(array: Any) -> "Tensor":
    """Make a Tensor around an array that nobody else uses, without copying it."""
    if type(array) is not np.ndarray or array.dtype is not FLOAT32:
        array = np.asarray(array, dtype=np.float32)
    out = _new(Tensor)
    out._data = array
    out._grad = None
    out._requires_grad = False
    out._grad_fn = None
    return out


# %% [markdown]
r"""
The second checks axes: -1 is the last one, and an axis that is not there is refused by name.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "axes", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def check_axis(name: str, axis: Any, shape: tuple[int, ...], more: int = 0) -> int:
    """Return an axis counted from the front: the one place where an axis is checked; a 0-d Tensor
    has 0 and -1, as in PyTorch.

    Args:
        name: who asks.
        axis: a whole number.
        shape: of the Tensor that is asked.
        more: how many axes its result will have more.

    Raises:
        AxisError: there is no such axis.
        TypeError: it is no whole number.

    Example:
        >>> check_axis("sum", -1, (4, 5, 6))
        2
    """
    try:
        at = operator.index(axis)
    except TypeError:
        raise TypeError(f"{name}: an axis is a whole number, not {axis!r:.40}.") from None
    count = len(shape) + more or 1
    if not -count <= at < count:
        raise AxisError(
            f"{name}: shape {shape} has no axis {at} to offer: from {-count} to {count - 1} there "
            "is one."
        )
    return at % count


def check_axes(name: str, axes: Any, shape: tuple[int, ...]) -> int | tuple[int, ...] | None:
    """The same for the `axis` of any operation: a number, several, or None; () is None, and a 0-d
    Tensor has none to fold.

    Raises:
        AxisError, TypeError: see check_axis.
        ValueError: an axis is named twice.
    """
    if axes is None:
        return None
    several = isinstance(axes, tuple | list | np.ndarray) and np.ndim(axes) == 1
    checked = tuple(check_axis(name, axis, shape) for axis in (axes if several else (axes,)))
    if len(set(checked)) < len(checked):
        raise ValueError(f"{name}: an axis is named twice in {tuple(axes)}.")
    if not shape:
        return ()
    return (checked or None) if several else checked[0]


# %% [markdown]
r"""
The third is the class. Each of its methods hands over to the operation of the same name, which you are about to write.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "frame", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Tensor(Block):
    """A block of float32 numbers with a shape, and (from module 05 on) a memory of how it was
    computed.

    Args:
        data: a number, nested lists of one length per level, an array, or a Tensor; the numbers
            are copied.
        requires_grad: whether `backward` shall leave a gradient in `grad`; dormant until module 05.

    Raises:
        ShapeError: ragged lists.
        TypeError: data that is not real numbers.

    Example:
        >>> x = Tensor([[1, 2], [3, 4]])
        >>> x.shape, (x * 10).sum().item()
        ((2, 2), 100.0)
    """

    __slots__ = ("__weakref__", "_grad", "_grad_fn", "_requires_grad")
    __array_ufunc__ = None  # array * Tensor asks Tensor.__rmul__, not each element

    def __init__(self, data: Any, requires_grad: bool = False) -> None:
        Block.__init__(self, real_numbers(data))
        self._grad: np.ndarray | None = None
        self._grad_fn: Any = None
        self.requires_grad = requires_grad

    # What it holds; shape, numel, item and numpy are those of Block

    @property
    def data(self) -> np.ndarray:
        """The numbers, a float32 array; it refuses writes while a graph needs the old values
        (module 05).
        """
        return self._data if _engine is None else _engine.guard(self._data)

    @data.setter
    def data(self, value: Any) -> None:
        if value is not self._data:  # `x.data += 1` hands the same array back
            self._data = as_array(value)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._data.ndim

    @property
    def dtype(self) -> np.dtype:
        """Always float32."""
        return self._data.dtype

    def detach(self) -> "Tensor":
        """The same numbers, without the memory of how they were computed."""
        return wrap(self._data)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self._data.astype(dtype or np.float32)

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("a 0-d Tensor has no length: use item().")
        return self.shape[0]

    def __iter__(self) -> Iterator["Tensor"]:
        return (self[i] for i in range(len(self)))

    def __float__(self): return self.item()
    def __int__(self): return int(self.item())
    def __bool__(self): return bool(self.item())

    def __repr__(self) -> str:
        numbers = np.array2string(self._data, separator=", ", prefix="Tensor(", precision=4)
        shape = f", shape={self.shape}" if self._data.size > 1 else ""
        return f"Tensor({numbers}{shape}{', requires_grad=True' if self.requires_grad else ''})"

    # Gradients: given now, alive from module 05 on

    @property
    def requires_grad(self) -> bool:
        """Whether `backward` shall leave a gradient here; what was computed from such a Tensor has
        it, too.
        """
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if self._grad_fn is not None and not value:
            raise RuntimeError(
                "the result of a recorded operation cannot be switched off, or gradients would "
                "get lost: use x.detach()."
            )
        self._requires_grad = bool(value)

    @property
    def grad(self) -> np.ndarray | None:
        """The gradient that `backward` left here, an array of the same shape, or None."""
        return self._grad

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is not None and (type(value) is not np.ndarray or value.dtype is not FLOAT32):
            value = np.asarray(raw(value), dtype=np.float32)
        self._grad = value

    def backward(self, grad: Any = None, retain_graph: bool = False, **words: Any) -> None:
        """Compute the gradient of this Tensor with respect to every Tensor that it was computed
        from.
        """
        if _engine is None:
            raise RuntimeError("backward() has no engine yet: module 05 builds it.")
        if retain_graph or words.get("create_graph"):
            raise ValueError(
                "a graph is walked once and freed on the way: add the losses up for one "
                "backward(), or compute them again."
            )
        _engine.backward(self, words.get("gradient", grad))

    def zero_grad(self) -> None:
        """Forget the gradient."""
        self.grad = None

    # Arithmetic: each method hands over to the operation of the same name, defined below

    def __add__(self, other): return add(self, other)
    def __radd__(self, other): return add(other, self)
    def __sub__(self, other): return sub(self, other)
    def __rsub__(self, other): return sub(other, self)
    def __mul__(self, other): return mul(self, other)
    def __rmul__(self, other): return mul(other, self)
    def __truediv__(self, other): return div(self, other)
    def __rtruediv__(self, other): return div(other, self)
    def __pow__(self, exponent): return power(self, exponent)
    def __rpow__(self, base): return power(base, self)
    def __matmul__(self, other): return matmul(self, other)
    def __rmatmul__(self, other): return matmul(other, self)
    def __neg__(self): return neg(self)
    def __pos__(self): return self
    def __abs__(self): return absolute(self)

    def exp(self) -> "Tensor":
        """e to the power of each element."""
        return exp(self)

    def log(self) -> "Tensor":
        """Natural logarithm of each element."""
        return log(self)

    def sqrt(self) -> "Tensor":
        """Square root of each element."""
        return sqrt(self)

    def abs(self) -> "Tensor":
        """Absolute value of each element."""
        return absolute(self)

    def clip(self, low: float | None = None, high: float | None = None) -> "Tensor":
        """Each element, held between `low` and `high`."""
        return clip(self, low, high)

    # Comparison answers with a plain array of booleans: it counts and indexes, without derivative

    def __eq__(self, other): return self._data == raw(other)
    def __ne__(self, other): return self._data != raw(other)
    def __lt__(self, other): return self._data < raw(other)
    def __le__(self, other): return self._data <= raw(other)
    def __gt__(self, other): return self._data > raw(other)
    def __ge__(self, other): return self._data >= raw(other)
    __hash__ = object.__hash__  # a Tensor is itself, whatever its numbers are

    def argmax(self, axis: int | None = None, dim: int | None = None) -> np.ndarray:
        """Index of the largest element along `axis` (or PyTorch's word, `dim`), as an integer
        array.
        """
        axis = axis if dim is None else dim
        return self._data.argmax(None if axis is None else check_axis("argmax", axis, self.shape))

    # Reductions

    def sum(
        self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False, **words: Any
    ) -> "Tensor":
        """Sum over `axis`; over everything when it is None."""
        return reduce_sum(self, axis=axis, keepdims=keepdims, **words)

    def mean(
        self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False, **words: Any
    ) -> "Tensor":
        """Mean over `axis`."""
        return reduce_mean(self, axis=axis, keepdims=keepdims, **words)

    def var(
        self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False, **words: Any
    ) -> "Tensor":
        """Population variance over `axis` (divided by the count, as layer and batch norm need it).
        """
        return reduce_var(self, axis=axis, keepdims=keepdims, **words)

    def max(self, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> "Tensor":
        """Largest element along `axis`."""
        return reduce_max(self, axis=axis, keepdims=keepdims)

    def min(self, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> "Tensor":
        """Smallest element along `axis`."""
        return -reduce_max(-self, axis=axis, keepdims=keepdims)

    # Shapes

    def reshape(self, *shape: Any) -> "Tensor":
        """The same numbers in another shape; one size may be -1."""
        return reshape(self, unpack(shape))

    def flatten(self, start_axis: int = 0) -> "Tensor":
        """All axes from `start_axis` on as one."""
        start = check_axis("flatten", start_axis, self.shape)
        return reshape(self, (*self.shape[:start], prod(self.shape[start:])))

    def transpose(self, axis0: int = -2, axis1: int = -1) -> "Tensor":
        """Two axes swapped."""
        first, second = (
            check_axis("transpose", axis0, self.shape),
            check_axis("transpose", axis1, self.shape),
        )
        axes = list(range(self.ndim))
        if axes:
            axes[first], axes[second] = axes[second], axes[first]
        return permute(self, tuple(axes))

    @property
    def T(self) -> "Tensor":
        """The axes in reverse order."""
        return permute(self, tuple(reversed(range(self.ndim))))

    def permute(self, *axes: Any) -> "Tensor":
        """The axes in the order given."""
        return permute(self, unpack(axes))

    def squeeze(self, axis: int | None = None) -> "Tensor":
        """Without the axes of size 1 (or without `axis`, if its size is 1)."""
        drop = range(self.ndim) if axis is None else (check_axis("squeeze", axis, self.shape),)
        return reshape(self, tuple(n for i, n in enumerate(self.shape) if n != 1 or i not in drop))

    def unsqueeze(self, axis: int) -> "Tensor":
        """With a new axis of size 1 at `axis`."""
        at = check_axis("unsqueeze", axis, self.shape, more=1)
        return reshape(self, (*self.shape[:at], 1, *self.shape[at:]))

    def expand(self, *shape: Any) -> "Tensor":
        """Axes of size 1 repeated up to `shape`, without copying; -1 keeps a size."""
        return expand(self, unpack(shape))

    def __getitem__(self, key: Any) -> "Tensor":
        return index(self, key=raw_key(key))

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(value, Tensor) and value._requires_grad and recording():
            raise RuntimeError(
                "x[key] = y is not recorded, and y's gradient would be lost: use stack, cat or "
                "where, or write y.detach()."
            )
        self.data[raw_key(key)] = raw(value)


def recording() -> bool:
    """Whether operations leave a graph at the moment: there is an engine, and no no_grad() in
    force.
    """
    return _engine is not None and _engine.recording()


def raw(value: Any) -> Any:
    """The array inside a Tensor; anything else as it is."""
    return value._data if isinstance(value, Tensor) else value


def raw_key(key: Any) -> Any:
    """An index of our own, with integers in place of Tensors, which hold floats."""
    if isinstance(key, tuple):
        return tuple(raw_key(part) for part in key)
    if isinstance(key, Tensor):
        return key._data.astype(np.intp)
    return np.array(key, dtype=None if key else np.intp) if isinstance(key, list) else key


def unpack(sizes: tuple) -> tuple[int, ...]:
    """Accept both f(2, 3) and f((2, 3))."""
    return tuple(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], tuple | list) else sizes


# %% [markdown]
r"""
## Arithmetic, one element at a time

Five operations, and after them `Tensor([1, 2]) + 1` works. Four of the bodies are what you think. The fifth has a twist: for a small
whole exponent a product does what a power does. How many times slower than `x * x * x` would you guess NumPy's `x ** 3.0`
to be? Write your guess down; we measure it at the end.
"""

# %% nbgrader={"grade": false, "grade_id": "arithmetic", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@op
def add(a, b):
    """Sum, element by element: a + b."""
    ### BEGIN SOLUTION
    return a + b
    ### END SOLUTION


@op
def sub(a, b):
    """Difference, element by element: a - b."""
    ### BEGIN SOLUTION
    return a - b
    ### END SOLUTION


@op
def mul(a, b):
    """Product, element by element: a * b."""
    ### BEGIN SOLUTION
    return a * b
    ### END SOLUTION


@op
def div(a, b):
    """Quotient, element by element: a / b."""
    ### BEGIN SOLUTION
    return a / b
    ### END SOLUTION


@op
def power(x, exponent):
    """Each element to the power of `exponent`, a number or a Tensor.

    TODO: fill in the five operations; squares and cubes as products.
    APPROACH: 1. the int 2 and the int 3: multiply  2. any other exponent: **
    EXAMPLE:
        >>> (Tensor([1, 2, 3]) ** 3).data
        array([ 1.,  8., 27.], dtype=float32)

    HINT: `exponent` may be an array, so ask for `type(exponent) is int` first.
    """
    ### BEGIN SOLUTION
    if type(exponent) is int and exponent in (2, 3):
        return x * x if exponent == 2 else x * x * x
    return x**exponent
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-arithmetic", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_arithmetic():
    """Tensors and numbers on either side; cubes to the last bit those of a product."""
    x = np.array([1, -2, 4], dtype=np.float32)
    check_close(lambda: (Tensor(x) + Tensor([10, 20, 30])).data, [11, 18, 34])
    check_close(lambda: (1 - Tensor(x)).data, [0, 3, -3])
    check_close(lambda: (Tensor(x) * 2 / Tensor([4, 4, 4])).data, [0.5, -1, 2])
    check_close(lambda: (Tensor(x) ** 2).data, [1, 4, 16])
    check_close(lambda: (Tensor([4, 9]) ** Tensor([0.5, 1.5])).data, [2, 27])
    ### BEGIN HIDDEN TESTS
    y = np.random.default_rng(8).normal(size=60).astype(np.float32)
    check_close(lambda: (Tensor(y) - Tensor(y[::-1])).data, y - y[::-1])
    check_close(lambda: (1 / Tensor(y)).data, 1 / y)
    check_close(lambda: power(Tensor(y), 3).data, y * y * y, rtol=0, atol=0)
    check_close(lambda: (2 ** Tensor([1, 2, 3])).data, [2, 4, 8])
    check_close(lambda: (Tensor([2, 3]) ** 1).data, [2, 3])
    check_close(lambda: (Tensor([2, 3]) ** 4).data, [16, 81])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_arithmetic()

# %% [markdown]
r"""
The other elementwise operations each call one function of NumPy.
"""

# %% nbgrader={"grade": false, "grade_id": "elementwise", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@op
def neg(x):
    """Each element with its sign changed."""
    return -x


@op
def exp(x):
    """e to the power of each element."""
    return np.exp(x)


@op
def log(x):
    """Natural logarithm of each element."""
    return np.log(x)


@op
def sqrt(x):
    """Square root of each element."""
    return np.sqrt(x)


@op
def absolute(x):
    """Absolute value of each element."""
    return np.abs(x)


@op
def clip(x, low=None, high=None):
    """Each element, held between `low` and `high`."""
    return np.clip(x, low, high)


# %% [markdown]
r"""
## Broadcasting: what shape comes out?

`x + 1` adds the 1 to every element; a bias of shape (3,) is added to every row of a (4, 3) table. The rule behind both is
short. Write the shapes under each other, **aligned at the right**, and read each column:

```
(8, 1, 6, 1)          (4, 3)          (2, 3)
(   7, 1, 5)          (   3)          (   2)
------------          ------          ------
(8, 7, 6, 5)          (4, 3)          3 against 2: no
```

Two sizes fit when they are equal or when one of them is 1 (a missing one counts as 1). The 1 is stretched. That is the
whole rule, and no number is copied for it: a stretched axis has stride 0, as the last line of your table above says.

Before you write it: which shapes fit against `(5, 1)`? Is `(5,)` among them, and what comes out? (The test knows.) Your sentence
of refusal is the one that everybody will read whose shapes do not fit, so say which two sizes met.
"""

# %% nbgrader={"grade": false, "grade_id": "broadcast-shape", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def broadcast_shape(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of `x + y` for x of shape `a` and y of shape `b`.

    Raises:
        ShapeError: the shapes do not fit; the message names both.

    TODO: apply the rule, without asking NumPy.
    APPROACH: 1. pad the shorter shape with 1s at the left  2. walk over the pairs, refuse or keep
    EXAMPLE:
        >>> broadcast_shape((8, 1, 6, 1), (7, 1, 5))
        (8, 7, 6, 5)

    HINT: a size of 0 is a size like any other: 1 against 0 gives 0, so `max` is a trap.
    """
    ### BEGIN SOLUTION
    width = max(len(a), len(b))
    padded_a = (1,) * (width - len(a)) + a
    padded_b = (1,) * (width - len(b)) + b
    out = []
    for m, n in zip(padded_a, padded_b, strict=True):
        if m != n and m != 1 and n != 1:
            raise ShapeError(f"shapes {a} and {b} do not broadcast: {m} against {n}.")
        out.append(n if m == 1 else m)
    return tuple(out)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-broadcast-shape", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_broadcast_shape():
    """Equal sizes, stretched ones, missing axes, and a clear refusal."""
    check_without(broadcast_shape, "np")
    check_equal(lambda: broadcast_shape((4, 3), (3,)), (4, 3))
    check_equal(lambda: broadcast_shape((5, 1), (5,)), (5, 5))
    check_equal(lambda: broadcast_shape((1, 4), (0, 4)), (0, 4))
    check_raises(ShapeError, lambda: broadcast_shape((2, 3), (2,)), mentions=["(2, 3)", "(2,)"])
    check_raises(ShapeError, lambda: Tensor([1, 2, 3]) + Tensor([1, 2]), mentions=["(3,)", "(2,)"])
    ### BEGIN HIDDEN TESTS
    check_equal(lambda: broadcast_shape((8, 1, 6, 1), (7, 1, 5)), (8, 7, 6, 5))
    check_equal(lambda: broadcast_shape((), (2, 3)), (2, 3))
    check_equal(lambda: broadcast_shape((3, 0), (1,)), (3, 0))
    check_raises(ShapeError, lambda: broadcast_shape((0,), (3,)))
    check_raises(ShapeError, lambda: broadcast_shape((3,), (0,)))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_broadcast_shape()

# %% [markdown]
r"""
## Matrix multiplication, by hand

Most of the arithmetic in a network is this one operation, so write it once the slow way:

$$C_{ij} = \sum_k A_{ik} B_{kj} \qquad (M, K) \times (K, N) \to (M, N)$$

Count before you code: how many multiplications are that for two 16 x 16 matrices, and how many times as many for two of 32 x 32?
"""

# %% nbgrader={"grade": false, "grade_id": "matmul-loops", "locked": false, "schema_version": 3, "solution": true, "task": false}
def matmul_loops(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Multiply two matrices with explicit loops.

    Args:
        a: array of shape (M, K).
        b: array of shape (K, N).

    Returns:
        float32 array of shape (M, N).

    TODO: write the formula as three loops over single elements; no `@`, `dot` or `sum`.
    APPROACH: 1. an (M, N) array of zeros  2. for every i and j, add up a[i, k] * b[k, j] over k
    EXAMPLE:
        >>> matmul_loops(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]))
        array([[11.]], dtype=float32)

    HINT: `M, K = a.shape`
    """
    ### BEGIN SOLUTION
    M, K = a.shape
    N = b.shape[1]
    c = np.zeros((M, N), dtype=np.float32)
    for i in range(M):
        for j in range(N):
            for k in range(K):
                c[i, j] += a[i, k] * b[k, j]
    return c
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-matmul-loops", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_matmul_loops():
    """The three loops agree with NumPy on shapes that are not square."""
    a = np.arange(6, dtype=np.float32).reshape(2, 3)
    b = np.arange(12, dtype=np.float32).reshape(3, 4)
    check_without(matmul_loops, "@", "dot", "sum", "matmul", "einsum", "inner", "tensordot")
    check_close(lambda: matmul_loops(a, b), a @ b)
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(5, 1)).astype(np.float32), rng.normal(size=(1, 2)).astype(np.float32)
    check_close(lambda: matmul_loops(x, y), x @ y)
    x, y = rng.normal(size=(1, 7)).astype(np.float32), rng.normal(size=(7, 3)).astype(np.float32)
    check_close(lambda: matmul_loops(x, y), x @ y)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_matmul_loops()

# %% [markdown]
r"""
A model of cost with one number in it: time the small one, multiply by your ratio, and see whether the large one obeys.
(A long call is interrupted more often than a short one: on a busy machine, run the cell again.)
"""


# %%
def analyze_loops():
    """Milliseconds of the loops at 16 and at 32 on a side; the first foretells the second."""
    squares = {n: np.ones((n, n), dtype=np.float32) for n in (16, 32)}
    ways = {n: lambda a=a: matmul_loops(a, a) for n, a in squares.items()}
    ms = {n: timing.low_ms for n, timing in compare(ways, samples=10).items()}
    for n in ways:
        print(f"{n} x {n}: {n**3:6,} multiplications in {ms[n]:5.1f} ms")
    print(f"foretold for 32 x 32: {8 * ms[16]:.1f} ms")


if __name__ == "__main__":
    analyze_loops()

# %% [markdown]
r"""
## Matrix multiplication, the contract

From here on `@` of NumPy does the work: it calls a BLAS library whose authors count cache lines. What is left to you
is the contract. `matmul` multiplies the last two axes and broadcasts the others, so a batch of 32 matrices needs no loop:

```
(32, 4, 5) @ (5, 6)      ->  (32, 4, 6)       one right-hand matrix for the whole batch
(32, 4, 5) @ (32, 5, 6)  ->  (32, 4, 6)       one each
     (4, 5) @ (5,)       ->  (4,)             a vector on the right is a column,
        (5,) @ (5, 6)    ->  (6,)             on the left a row
```

What a framework adds to NumPy is mostly the error message. NumPy says `matmul: Input operand 1 has a mismatch in its core
dimension 0, with gufunc signature (n?,k),(k,m?)->(n?,m?)`. A tired person at midnight deserves better.
"""

# %% nbgrader={"grade": false, "grade_id": "matmul", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@op
def matmul(a, b):
    """Matrix product over the last two axes, broadcast over the others.

    Args:
        a: shape (..., M, K) or (K,).
        b: shape (..., K, N) or (K,).

    Returns:
        shape (..., M, N), without M or N where that side was a vector.

    Raises:
        ShapeError: a side is a single number, or the two K differ; the message names both shapes.

    TODO: check the two K, then multiply.
    APPROACH: 1. refuse 0-d sides  2. compare the K: in `b` the last size but one, or the only one
    EXAMPLE:
        >>> matmul(Tensor([[1, 2], [3, 4]]), Tensor([1, 1])).data
        array([3., 7.], dtype=float32)

    HINT: inside an operation `a` and `b` are arrays: `a.ndim`, `a.shape[-1]`, and here `a @ b`.
    """
    ### BEGIN SOLUTION
    if a.ndim == 0 or b.ndim == 0:
        cure = "a single number has no rows; multiply with * instead."
        raise ShapeError(f"matmul: shapes {a.shape} and {b.shape}: {cure}")
    columns, rows = a.shape[-1], b.shape[-2] if b.ndim > 1 else b.shape[0]
    if columns != rows:
        meet = f"{columns} columns meet {rows} rows; transpose one side?"
        raise ShapeError(f"matmul: shapes {a.shape} and {b.shape} do not fit: {meet}")
    return a @ b  # (..., M, K) @ (..., K, N) -> (..., M, N)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-matmul", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_matmul():
    """Matrices, vectors and batches; a mismatch names both shapes."""
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(2, 3)).astype(np.float32), rng.normal(size=(3, 4)).astype(np.float32)
    check_close(lambda: (Tensor(a) @ Tensor(b)).data, a @ b)
    check_close(lambda: matmul(Tensor(a), Tensor(b[:, 0])).data, a @ b[:, 0])
    batch = rng.normal(size=(5, 3, 2)).astype(np.float32)
    check_close(lambda: matmul(Tensor(a), Tensor(batch)).data, a @ batch, atol=1e-4)
    check_raises(ShapeError, lambda: matmul(Tensor(a), Tensor(a)), mentions=["(2, 3)"])
    check_raises(ShapeError, lambda: matmul(Tensor(a), Tensor(2.0)), mentions=["()"])
    ### BEGIN HIDDEN TESTS
    turned = rng.normal(size=(5, 2, 3)).astype(np.float32)
    check_close(lambda: matmul(Tensor(turned), Tensor(b)).data, turned @ b, atol=1e-4)
    check_close(lambda: matmul(Tensor(turned), Tensor(batch)).data, turned @ batch, atol=1e-4)
    check_close(lambda: matmul(Tensor(a[0]), Tensor(a[1])).data, a[0] @ a[1])
    check_raises(ShapeError, lambda: matmul(Tensor(2.0), Tensor(b)), mentions=["()", "(3, 4)"])
    plain = matmul.__wrapped__  # without @op, which would turn NumPy's own error into a ShapeError
    check_raises(ShapeError, lambda: plain(turned, a), mentions=["(5, 2, 3)", "(2, 3)"])
    check_raises(ShapeError, lambda: plain(b[0, :2], b), mentions=["(2,)", "(3, 4)"])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_matmul()

# %% [markdown]
r"""
## Reductions: fewer numbers, same meaning

A reduction folds axes away. `axis` says which, as a number or a tuple; `keepdims=True` leaves a 1 in their place, so that the
result still broadcasts against what it came from. Sum and maximum are given.

The mean is a sum divided by a count. The count of *what*, when `axis=(0, 2)` and x has shape (4, 5, 6)?
"""

# %% nbgrader={"grade": false, "grade_id": "reductions", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@op
def reduce_sum(x, axis=None, keepdims=False):
    """Sum over `axis` (a number, a tuple, or None for all)."""
    return x.sum(axis=axis, keepdims=keepdims)


@op
def reduce_max(x, axis=None, keepdims=False):
    """Largest element along `axis` (a number, a tuple, or None for all)."""
    if count_reduced(x.shape, axis) == 0:
        raise ShapeError(f"max: shape {x.shape} has no elements to choose from.")
    return x.max(axis=axis, keepdims=keepdims)


def count_reduced(shape: tuple[int, ...], axis: int | tuple[int, ...] | None) -> int:
    """How many elements go into each result when `axis` is folded away.

    Example:
        >>> count_reduced((4, 5, 6), (0, 2))
        24
    """
    axes = range(len(shape)) if axis is None else (axis,) if isinstance(axis, int) else axis
    return prod(shape[i] for i in axes)


# %% nbgrader={"grade": false, "grade_id": "reduce-mean", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@op
def reduce_mean(x, axis=None, keepdims=False):
    """Mean over `axis`.

    Args:
        x: array of any shape.
        axis: a number, a tuple of numbers, or None for all.
        keepdims: leave a 1 for each folded axis.

    TODO: the sum, divided by how many elements went into it.
    APPROACH: 1. x.sum with axis and keepdims  2. divide by count_reduced
    EXAMPLE:
        >>> reduce_mean(Tensor([[1, 2, 3], [4, 5, 6]]), axis=1).data
        array([2., 5.], dtype=float32)

    HINT: the count is not always x.size.
    """
    ### BEGIN SOLUTION
    return x.sum(axis=axis, keepdims=keepdims) / count_reduced(x.shape, axis)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-reduce-mean", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
def test_unit_reduce_mean():
    """All elements, one axis, kept axes."""
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    check_close(lambda: Tensor(x).mean().data, x.mean())
    check_close(lambda: Tensor(x).mean(axis=0).data, x.mean(axis=0))
    ### BEGIN HIDDEN TESTS
    y = np.random.default_rng(3).normal(size=(4, 5, 6)).astype(np.float32)
    check_close(lambda: Tensor(y).mean(axis=(0, 2)).data, y.mean(axis=(0, 2)))
    check_close(lambda: Tensor(y).mean(axis=-1, keepdims=True).data, y.mean(axis=-1, keepdims=True))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_reduce_mean()

# %% [markdown]
r"""
### Variance, and a formula that lies

Two formulas for the same thing, equal in every textbook:

$$\frac1n\sum_i (x_i - \bar x)^2 \qquad=\qquad \frac1n\sum_i x_i^2 \;-\; \bar x^2$$

The right one needs a single pass over the data, which is why people reach for it. Now let the data sit at 10,000 with a spread
of 1. A float32 has 24 bits for its digits, so near $x_i^2 \approx 100{,}000{,}000$ its neighbours are 8 apart. How well can it
then tell a variance of 1 from 0?
"""

# %% nbgrader={"grade": false, "grade_id": "reduce-var", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@op
def reduce_var(x, axis=None, keepdims=False):
    """Population variance over `axis`: the mean squared distance from the mean.

    Args:
        x: array of any shape.
        axis: a number, a tuple of numbers, or None for all.
        keepdims: leave a 1 for each folded axis.

    TODO: the variance, so that a large mean does no harm, and without NumPy's own `var`.
    APPROACH: 1. the mean, its axes kept  2. the distances from it  3. the mean of their squares
    EXAMPLE:
        >>> reduce_var(Tensor([[1, 3], [2, 2]]), axis=1).data
        array([1., 0.], dtype=float32)

    HINT: the mean must broadcast against x, whatever `keepdims` says.
    """
    ### BEGIN SOLUTION
    count = count_reduced(x.shape, axis)
    distance = x - x.sum(axis=axis, keepdims=True) / np.float32(count)
    return (distance * distance).sum(axis=axis, keepdims=keepdims) / count
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-reduce-var", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_reduce_var():
    """Right on small numbers, and still right when the mean is large."""
    x = np.array([[1, 3, 5], [2, 2, 8]], dtype=np.float32)
    check_without(reduce_var, "var", "std")
    check_close(lambda: Tensor(x).var().data, x.var())
    check_close(lambda: Tensor(x).var(axis=0).data, [0.25, 0.25, 2.25])
    check_close(lambda: Tensor([10001, 10003, 10009]).var().data, 104 / 9)
    ### BEGIN HIDDEN TESTS
    y = np.random.default_rng(4).normal(size=(3, 1000)).astype(np.float32)
    expected = y.astype(np.float64).var(axis=1, keepdims=True)
    far = y + np.float32(1e4)
    check_close(lambda: Tensor(far).var(axis=1, keepdims=True).data, expected, rtol=0.01)
    z = np.random.default_rng(5).normal(size=(2, 3, 4)).astype(np.float32)
    check_close(lambda: Tensor(z).var(axis=(0, 2)).data, z.var(axis=(0, 2)))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_reduce_var()

# %%
def analyze_variance():
    """The variance of 100,000 numbers with a spread of 1, by both formulas, ever farther from 0."""
    numbers = np.random.default_rng(0).normal(size=100_000)
    for mean in (0, 100, 10_000, 100_000):
        x = (numbers + mean).astype(np.float32)
        one_pass = (x * x).mean() - x.mean() ** 2
        print(f"mean {mean:7,}   yours {Tensor(x).var().item():6.3f}   one pass {one_pass:12.3f}")


if __name__ == "__main__":
    analyze_variance()

# %% [markdown]
r"""
## Shapes: moving nothing

`permute`, `expand` and indexing only write a new note about old memory, so they are given. `reshape` has one riddle:
it accepts a single -1 and works out that size from the others. 24 numbers as (2, -1, 3)? As (5, -1)?
"""

# %% nbgrader={"grade": false, "grade_id": "views", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@op
def permute(x, axes):
    """The axes of x in the order `axes`, a tuple; no number moves."""
    return x.transpose(axes)


@op
def expand(x, shape):
    """Axes of size 1 repeated up to `shape`, a tuple in which -1 keeps a size; no number is copied.
    """
    missing = len(shape) - x.ndim
    sizes = (1,) * missing + x.shape
    return np.broadcast_to(
        x, tuple(n if want == -1 else want for n, want in zip(sizes, shape, strict=True))
    )


@op
def index(x, key):
    """x[key] for integers, slices, None, ..., integer arrays and masks."""
    return x[key]


# %% nbgrader={"grade": false, "grade_id": "infer-shape", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def infer_shape(count: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return `shape` with the size that makes it hold `count` numbers in place of its -1.

    Raises:
        ShapeError: more than one -1, or no size makes it fit; the message names shape and count.

    TODO: find the missing size, or refuse.
    APPROACH: 1. multiply the known sizes  2. no -1: compare with `count`  3. one: divide, or refuse
    EXAMPLE:
        >>> infer_shape(24, (2, -1, 3))
        (2, 4, 3)

    HINT: `prod` of an empty list is 1. Mind the division by a size of 0.
    """
    ### BEGIN SOLUTION
    known = prod(n for n in shape if n != -1)
    if shape.count(-1) > 1:
        raise ShapeError(f"reshape to {shape}: only one size may be -1.")
    if -1 not in shape:
        if known != count:
            full = f"{count} numbers do not fill shape {shape}, which holds {known}."
            raise ShapeError(f"reshape: {full}")
        return shape
    if known == 0 or count % known:
        raise ShapeError(f"reshape: {count} numbers do not divide into shape {shape}.")
    return tuple(count // known if n == -1 else n for n in shape)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-infer-shape", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
def test_unit_infer_shape():
    """One -1 is worked out; what cannot fit is refused by name."""
    check_equal(lambda: infer_shape(24, (2, -1, 3)), (2, 4, 3))
    check_equal(lambda: infer_shape(24, (4, 6)), (4, 6))
    check_raises(ShapeError, lambda: infer_shape(24, (5, -1)), mentions=["24", "(5, -1)"])
    check_raises(ShapeError, lambda: infer_shape(24, (-1, -1)))
    ### BEGIN HIDDEN TESTS
    check_equal(lambda: np.zeros(infer_shape(7, (-1,))).shape, (7,))
    check_equal(lambda: infer_shape(0, (0, 3)), (0, 3))
    check_raises(ShapeError, lambda: infer_shape(24, (5, 5)), mentions=["24", "(5, 5)"])
    check_raises(ShapeError, lambda: infer_shape(24, (4, 5)), mentions=["24", "(4, 5)"])
    check_raises(ShapeError, lambda: infer_shape(0, (0, -1)))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_infer_shape()

# %% nbgrader={"grade": false, "grade_id": "reshape", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@op
def reshape(x, shape):
    """The numbers of x, in order, in another shape; one size may be -1."""
    return x.reshape(infer_shape(x.size, tuple(shape)))


# %% [markdown]
r"""
## Joining tensors

`cat` lays blocks side by side along an axis that they already have; `stack` gives them a new one.

```
cat([a, b], axis=0)    a a a          stack([a, b])    two (2, 3) blocks
                       a a a                           -> (2, 2, 3)
                       b b b
```

For `cat`, make room once and copy each block into its slice. (Appending one block after the other copies the first block
again and again: n blocks of one size cost about n²/2 copies instead of n.)
"""

# %% nbgrader={"grade": false, "grade_id": "cat-arrays", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def cat_arrays(blocks: Sequence[np.ndarray], axis: int) -> np.ndarray:
    """Lay arrays side by side along `axis`.

    Args:
        blocks: at least one array; all shapes agree except along `axis`.
        axis: an axis of the blocks, counted from the end when negative.

    Returns:
        float32 array whose size along `axis` is the sum of the blocks' sizes.

    TODO: allocate once and copy each block into its place; no concatenate, stack or append.
    APPROACH: 1. the result's shape  2. np.empty  3. for each block, a slice `start:stop`
    EXAMPLE:
        >>> cat_arrays([np.ones((1, 2)), np.zeros((2, 2))], axis=0).shape
        (3, 2)

    HINT: `result.swapaxes(0, axis)[start:stop]` is a view: writing into it writes into `result`.
    """
    ### BEGIN SOLUTION
    shape = list(blocks[0].shape)
    shape[axis] = sum(block.shape[axis] for block in blocks)
    result = np.empty(shape, dtype=np.float32)
    along = result.swapaxes(0, axis)  # a view whose first axis is `axis`
    start = 0
    for block in blocks:
        stop = start + block.shape[axis]
        along[start:stop] = block.swapaxes(0, axis)
        start = stop
    return result
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-cat-arrays", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_cat_arrays():
    """Blocks of different sizes, along either axis."""
    a, b = np.ones((1, 3), np.float32), np.arange(6, dtype=np.float32).reshape(2, 3)
    check_without(cat_arrays, "concatenate", "stack", "vstack", "hstack", "append")
    check_close(lambda: cat_arrays([a, b], axis=0), [[1, 1, 1], [0, 1, 2], [3, 4, 5]])
    check_close(lambda: cat_arrays([b, b], axis=1), [[0, 1, 2, 0, 1, 2], [3, 4, 5, 3, 4, 5]])
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(6)
    blocks = [rng.normal(size=(2, n, 3)).astype(np.float32) for n in (1, 4, 2)]
    for axis in (1, -2):
        expected = np.concatenate(blocks, axis=axis)
        check_close(lambda axis=axis: cat_arrays(blocks, axis=axis), expected)
    check_equal(lambda: cat_arrays([b, b], axis=0).dtype.name, "float32")
    check_close(lambda: cat_arrays([b], axis=1), b)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_cat_arrays()

# %% [markdown]
r"""
Folded: `cat` and `stack` themselves, which check that the blocks fit before yours joins them.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "joining", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@op
def concatenate(*blocks, axis=0):
    """Join arrays along `axis`; what is kept for the derivative is where each block begins and
    ends.
    """
    if not blocks[0].ndim:
        raise ShapeError("cat: single numbers have no axis to be joined along: use stack.")
    at = axis % blocks[0].ndim
    rest = blocks[0].shape[:at] + blocks[0].shape[at + 1 :]
    for block in blocks[1:]:
        if block.ndim != blocks[0].ndim or block.shape[:at] + block.shape[at + 1 :] != rest:
            raise ShapeError(
                f"cat: shapes {[b.shape for b in blocks][:8]} must agree in all axes but axis "
                f"{axis}."
            )
    ends = np.cumsum([0, *(block.shape[axis] for block in blocks)])
    return cat_arrays(blocks, axis), ends


def cat(tensors: Sequence[Tensor], axis: int = 0, dim: int | None = None) -> Tensor:
    """Join Tensors along an axis that they have (`dim` is PyTorch's word for it); all other sizes
    must agree.

    Raises:
        ValueError: no Tensors, or sizes that differ.

    Example:
        >>> cat([zeros(1, 2), ones(2, 2)]).shape
        (3, 2)
    """
    if not tensors:
        raise ValueError("cat needs at least one Tensor.")
    return concatenate(*tensors, axis=axis if dim is None else dim)


def stack(tensors: Sequence[Tensor], axis: int = 0, dim: int | None = None) -> Tensor:
    """Join Tensors of one shape along a new axis.

    Raises:
        ValueError: no Tensors, or shapes that differ.

    Example:
        >>> stack([zeros(3), ones(3)]).shape
        (2, 3)
    """
    shapes = [t.shape for t in tensors]
    if any(shape != shapes[0] for shape in shapes):
        raise ShapeError(f"stack: shapes {shapes[:8]} differ: Tensors of one shape are needed.")
    axis = axis if dim is None else dim
    return cat([t.unsqueeze(axis) for t in tensors], axis)


# %% [markdown]
r"""
Folded: where numbers come from. `zeros`, `arange`, `randn` and their sisters; the random ones come from one generator with a seed,
because an experiment that cannot be repeated cannot be debugged.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "creation", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
_random = np.random.default_rng(0)


def manual_seed(seed: int) -> None:
    """Start the course's random numbers anew, so that a run can be repeated exactly."""
    global _random
    _random = np.random.default_rng(seed)


def generator() -> np.random.Generator:
    """The random generator behind `rand`, `randn`, weight initialisation and dropout."""
    return _random


def full(shape: int | tuple[int, ...], value: float, requires_grad: bool = False) -> Tensor:
    """A Tensor of one value."""
    return Tensor(np.full(shape, value, dtype=np.float32), requires_grad)


def zeros(*shape: Any, requires_grad: bool = False) -> Tensor:
    """A Tensor of zeros."""
    return full(unpack(shape), 0.0, requires_grad)


def ones(*shape: Any, requires_grad: bool = False) -> Tensor:
    """A Tensor of ones."""
    return full(unpack(shape), 1.0, requires_grad)


def eye(n: int, requires_grad: bool = False) -> Tensor:
    """The n x n identity matrix."""
    return Tensor(np.eye(n, dtype=np.float32), requires_grad)


def arange(*bounds: float, requires_grad: bool = False) -> Tensor:
    """Evenly spaced numbers: arange(stop) or arange(start, stop, step)."""
    return Tensor(np.arange(*bounds, dtype=np.float32), requires_grad)


def rand(*shape: Any, requires_grad: bool = False) -> Tensor:
    """Uniform random numbers in [0, 1)."""
    return Tensor(_random.random(unpack(shape), dtype=np.float32), requires_grad)


def randn(*shape: Any, requires_grad: bool = False) -> Tensor:
    """Normal random numbers with mean 0 and variance 1."""
    return Tensor(_random.standard_normal(unpack(shape), dtype=np.float32), requires_grad)


# %% [markdown]
r"""
Folded, and the longest: PyTorch's other spellings, copying and pickling, in-place operators, and what to answer when a name is
not there.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-everyday", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@op
def choose(a, b, condition):
    """`a` where `condition` (an array of booleans) holds, `b` elsewhere; all three broadcast."""
    return np.where(condition, a, b)


def where(condition: Any, a: Any, b: Any) -> Tensor:
    """`a` where `condition` holds, `b` elsewhere; all three broadcast, and the other side's
    gradient is 0 even where it is infinite.

    Example:
        >>> where(np.array([True, False]), Tensor([1, 2]), 0).data
        array([1., 0.], dtype=float32)
    """
    return choose(a, b, np.asarray(raw(condition)) != 0)


@op
def maximum(a, b):
    """The larger of a and b, element by element; where they are equal each gets half of the
    gradient, as in PyTorch.
    """
    return np.maximum(a, b)


@op
def euclidean_norm(x, axis=None, keepdims=False):
    """Length over `axis`: the root of the sum of squares; its gradient at 0 is taken as 0, as in
    PyTorch.
    """
    return np.sqrt((x * x).sum(axis=axis, keepdims=keepdims))


class Extreme(NamedTuple):
    """What x.max(dim=0) and x.min(dim=0) return: the values, a Tensor, and where they stood, an
    integer array.
    """

    values: Tensor
    indices: np.ndarray


def extreme(x: Tensor, dim: int, keepdim: bool, where_it_is: Callable) -> Extreme:
    """Values and indices along `dim`; the gradient goes to the element that was found first."""
    at = check_axis("max", dim, x.shape)
    if not x.ndim:
        return Extreme(x.reshape(()), np.array(0))
    if not x.shape[at]:
        raise ShapeError(f"max: shape {x.shape} has no elements to choose from.")
    indices = where_it_is(x._data, axis=at)
    key = list(np.indices(indices.shape, sparse=True))
    key.insert(at, indices)
    values = x[tuple(key)]
    return (
        Extreme(values.unsqueeze(at), np.expand_dims(indices, at))
        if keepdim
        else Extreme(values, indices)
    )


def rebuild(
    kind: type, array: np.ndarray, requires_grad: bool, grad: np.ndarray | None, others: dict
) -> Tensor:
    """Make a Tensor again of what copying or pickling took apart."""
    tensor = _new(kind)
    tensor._data, tensor._grad_fn = (
        np.array(array),
        None,
    )  # memory of our own: an unpickled array may lie in a `bytes`
    tensor._requires_grad, tensor._grad = requires_grad, None if grad is None else np.array(grad)
    for name, value in others.items():
        setattr(tensor, name, value)
    return tensor


def in_place(operation: Callable, target: Tensor, other: Any) -> Tensor:
    """What `x += y` does: a write into x where nothing is recorded, x = x + y for a result; an
    explanation for a weight.
    """
    if recording() and (
        target._requires_grad or (isinstance(other, Tensor) and other._requires_grad)
    ):
        if target._requires_grad and target._grad_fn is None:
            raise RuntimeError(
                f"{operation.__name__} in place on a Tensor that requires a gradient: update it "
                "under `with no_grad():`, "
                f"or compute a new one, such as y = x + 1."
            )
        return operation(target, other)
    result = raw(operation(target.detach(), raw(other)))
    if result.shape != target.shape:
        raise ShapeError(
            f"{operation.__name__} in place: the result of shape {result.shape} does not fit into "
            f"{target.shape}."
        )
    target.data[...] = result
    return target


class Everyday:
    """Methods that `Tensor` gets below: PyTorch's spellings of what it can already do, and good
    manners.
    """

    def __iadd__(self, other): return in_place(add, self, other)
    def __isub__(self, other): return in_place(sub, self, other)
    def __imul__(self, other): return in_place(mul, self, other)
    def __itruediv__(self, other): return in_place(div, self, other)
    def __ipow__(self, other): return in_place(power, self, other)

    def __matmul__(self, other):
        if isinstance(other, int | float | np.generic):
            raise TypeError(f"x @ {other!r}: @ multiplies matrices; a number multiplies with *.")
        return matmul(self, other)

    def __format__(self, form: str) -> str:
        """f"{loss:.4f}" for a single element."""
        return (
            format(self.item(), form) if form and self._data.size == 1 else format(repr(self), form)
        )

    def __reduce_ex__(self, protocol: int) -> tuple:
        """What copy, deepcopy and pickle take: the numbers, not the graph.

        Raises:
            RuntimeError: the result of a recorded operation, whose graph cannot be copied.
        """
        if self._grad_fn is not None:
            raise RuntimeError(
                f"a result with a graph ({self._grad_fn!r}) cannot be copied or pickled: take "
                "x.detach() or x.numpy()."
            )
        return rebuild, (
            type(self),
            self._data,
            self._requires_grad,
            self._grad,
            getattr(self, "__dict__", {}),
        )

    def max(self, *other, axis=None, keepdims=False, dim=None, keepdim=False):
        """Largest element along `axis`; with PyTorch's word `dim` its pair (values, indices)."""
        if other:
            raise TypeError(
                "x.max(axis=1) gives the values, x.max(dim=1) PyTorch's pair (values, indices), "
                "maximum(x, y) compares two."
            )
        return (
            reduce_max(self, axis=axis, keepdims=keepdims or keepdim)
            if dim is None
            else extreme(self, dim, keepdim, np.argmax)
        )

    def min(self, *other, axis=None, keepdims=False, dim=None, keepdim=False):
        """Smallest element along `axis`; with PyTorch's word `dim` its pair (values, indices)."""
        if other:
            raise TypeError(
                "x.min(axis=1) gives the values, x.min(dim=1) PyTorch's pair (values, indices), "
                "minimum(x, y) compares two."
            )
        return (
            -reduce_max(-self, axis=axis, keepdims=keepdims or keepdim)
            if dim is None
            else extreme(self, dim, keepdim, np.argmin)
        )

    def var(self, axis=None, keepdims=False, correction=0, **words):
        """Variance over `axis`: the population's, divided by n - correction; PyTorch's default is
        correction=1 (unbiased=True).
        """
        if "unbiased" in words:
            correction = int(words.pop("unbiased"))
        spread = reduce_var(self, axis=axis, keepdims=keepdims, **words)
        n = self.numel() // max(1, spread.numel())
        return (
            spread * (n / (n - correction))
            if correction and n > correction
            else spread * float("nan")
            if correction
            else spread
        )

    def std(self, axis=None, keepdims=False, correction=1, **words):
        """Standard deviation over `axis`, divided by n - 1 as in PyTorch; correction=0 is the root
        of our var().
        """
        return Tensor.var(self, axis, keepdims, correction, **words).sqrt()

    def norm(self, p=2, axis=None, keepdims=False, **words):
        """Length over `axis`; p is 2 (the root of the squares' sum) or 1 (the sum of absolute
        values).
        """
        if p not in (1, 2):
            raise ValueError(f"norm: p is 1 or 2, not {p!r}.")
        length = euclidean_norm if p == 2 else reduce_sum
        return length(self if p == 2 else absolute(self), axis=axis, keepdims=keepdims, **words)

    def argmin(self, axis=None, dim=None):
        """Index of the smallest element along `axis`, as an integer array."""
        return (-self.detach()).argmax(axis, dim)

    def size(self, dim=None):
        """The shape, or the size along one axis."""
        return self.shape if dim is None else self.shape[check_axis("size", dim, self.shape)]

    def flatten(self, start_dim=0, end_dim=-1, **words):
        """All axes from `start_dim` to `end_dim` (or from start_axis on) as one."""
        start = check_axis("flatten", words.get("start_axis", start_dim), self.shape)
        end = check_axis("flatten", end_dim, self.shape)
        return reshape(
            self, (*self.shape[:start], prod(self.shape[start : end + 1]), *self.shape[end + 1 :])
        )

    def squeeze(self, axis=None, dim=None):
        """Without the axes of size 1, or without one of them if its size is 1."""
        return squeeze(self, axis if dim is None else dim)

    def unsqueeze(self, axis=None, dim=None):
        """With a new axis of size 1."""
        return unsqueeze(self, axis if dim is None else dim)

    def clip(self, low=None, high=None, **words):
        """Each element, held between `low` and `high` (PyTorch's words: min, max)."""
        return clip(self, words.get("min", low), words.get("max", high))

    def transpose(self, axis0=-2, axis1=-1, **words):
        """Two axes swapped (PyTorch's words: dim0, dim1)."""
        return transpose(self, words.get("dim0", axis0), words.get("dim1", axis1))

    def dim(self): return self.ndim
    def nelement(self): return self.numel()
    def view(self, *shape): return self.reshape(*shape)
    def view_as(self, other): return self.reshape(other.shape)
    def expand_as(self, other): return self.expand(other.shape)
    def t(self): return self.T
    def add(self, other, alpha=1): return self + (other if alpha == 1 else other * alpha)
    def sub(self, other, alpha=1): return self - (other if alpha == 1 else other * alpha)
    def mul(self, other): return self * other
    def div(self, other): return self / other
    def pow(self, exponent): return self**exponent
    def neg(self): return -self
    def square(self): return self * self
    def matmul(self, other): return self @ other
    def eq(self, other): return self == other
    def gt(self, other): return self > other
    def lt(self, other): return self < other
    def clamp(self, min=None, max=None): return clip(self, min, max)
    def clone(self): return self * 1
    def contiguous(self): return self
    def cpu(self): return self
    def float(self): return self
    def tolist(self): return self._data.tolist()
    def masked_fill(self, mask, value): return where(raw(mask) != 0, value, self)
    def split(self, size, dim=0): return tuple(self[cut] for cut in cuts(self, size, dim))
    def chunk(self, chunks, dim=0): return self.split(max(1, -(-self.size(dim) // chunks)), dim)
    def add_(self, other, alpha=1): return in_place(add, self, raw(other) * alpha)
    def sub_(self, other, alpha=1): return in_place(sub, self, raw(other) * alpha)
    def mul_(self, other): return in_place(mul, self, other)
    def div_(self, other): return in_place(div, self, other)
    def fill_(self, value): return in_place(replace, self, value)
    def zero_(self): return in_place(replace, self, 0.0)
    def copy_(self, other): return in_place(replace, self, other)

    def requires_grad_(self, requires_grad=True):
        """Set requires_grad, and return the Tensor."""
        self.requires_grad = requires_grad
        return self

    is_leaf = property(lambda self: self._grad_fn is None, doc="Whether no operation made it.")
    grad_fn = property(lambda self: self._grad_fn, doc="The operation that made it, or None.")
    mT = property(lambda self: self.transpose(-2, -1), doc="The last two axes swapped.")


def replace(x: Tensor, value: Any) -> Tensor:
    """`value`, broadcast to the shape of x: what fill_ and copy_ write."""
    return Tensor(np.broadcast_to(raw(value), x.shape))


def cuts(x: Tensor, size: Any, dim: int) -> list[tuple]:
    """Indices of the pieces along `dim`, each of `size`, or of the sizes in a list."""
    at = check_axis("split", dim, x.shape)
    ends = (
        np.cumsum(size).tolist()
        if isinstance(size, list | tuple)
        else list(range(size, x.shape[at] + size, size))
    )
    if isinstance(size, list | tuple) and ends[-1] != x.shape[at]:
        raise ShapeError(f"split: sizes {list(size)} do not add up to {x.shape[at]}.")
    return [
        (slice(None),) * at + (slice(start, end),)
        for start, end in zip([0, *ends], ends, strict=False)
    ]


ONE_DEVICE = "there is one device, the processor: leave the call out"
NOT_HERE = {  # names of PyTorch's that a Tensor does not have: what to write
    "to": ONE_DEVICE, "cuda": ONE_DEVICE, "device": ONE_DEVICE,
    "double": "every Tensor is float32: for more digits compute with x.numpy().astype(np.float64)",
    "half": "every Tensor is float32: leave the call out",
    "long": "labels and indices are NumPy arrays: x.numpy().astype(np.intp)",
    "int": "x.numpy().astype(np.intp)",
    "bool": "x.numpy().astype(bool), or x != 0",
    "relu": "F.relu(x), from module 02", "sigmoid": "F.sigmoid(x), from module 02",
    "tanh": "F.tanh(x), from module 02",
    "softmax": "F.softmax(x, axis=-1), from module 02",
    "log_softmax": "F.log_softmax(x, axis=-1), from module 04",
    "repeat": "x.expand(...) for axes of size 1, or cat([x, x])",
    "gather": "x[np.arange(len(x)), indices]",
    "index_select": "x[indices] or x[:, indices]",
    "scatter_": "build it with NumPy, or where(condition, a, b)",
    "flip": "x[::-1], or x[:, ::-1] for another axis",
    "topk": "np.argsort(-x.numpy(), axis)[..., :k], then index x",
    "sort": "np.argsort(x.numpy(), axis), then index x",
    "cumsum": "np.cumsum(x.numpy(), axis), or a Function of your own (module 05)",
    "unbind": "list(x), or [x[:, i] for i in range(n)]", "outer": "x.unsqueeze(1) * y",
    "register_hook": "read x.grad after backward()",
    "retain_grad": "gradients stay on leaves only: "
    "make the Tensor one with y = y.detach().requires_grad_()",
    "nonzero": "np.nonzero(x.numpy())", "any": "(x != 0).any()", "all": "(x != 0).all()",
    "isnan": "np.isnan(x.numpy())",
    "detach_": "x = x.detach()", "swapaxes": "x.transpose(0, 1)", "type": "every Tensor is float32",
    "bmm": "x @ y", "mm": "x @ y", "dot": "x @ y",
    "to_sparse": "SparseLinear(x), from module 17",
    "to_sparse_csr": "to_csr(x.data), from module 17",
    "normal_": "nn.init.normal_(x)", "uniform_": "nn.init.uniform_(x)",
    "prod": "x.log().sum().exp() for positive numbers",
}  # fmt: skip


def instead(name: str, table: dict[str, str], known: Any) -> str:
    """The end of a message about a missing name: what to write in its place, or which name is near.
    """
    if name in table:
        return f": {table[name]}."
    names = {word.lower(): word for word in known if not word.startswith("_")}
    near = get_close_matches(name.lower(), names, n=1, cutoff=0.7)
    return f": did you mean {names[near[0]]}?" if near else "."


class Missing:
    """Stands for a name that Tensor does not have, and says what to write.

    (A __getattr__ would slow every attribute down.)
    """

    def __init__(self, name: str, cure: str) -> None:
        self.name, self.cure = name, cure

    def __get__(self, tensor: Any, kind: type) -> Any:
        raise AttributeError(f"Tensor has no {self.name}: {self.cure}.")


# Everyday's take dim= too
squeeze, unsqueeze, transpose = Tensor.squeeze, Tensor.unsqueeze, Tensor.transpose
SPECIAL = ("__matmul__", "__format__", "__reduce_ex__")
for _name, _method in vars(Everyday).items():
    if not _name.startswith("__") or _name.startswith("__i") or _name in SPECIAL:
        setattr(Tensor, _name, _method)
for _name, _cure in NOT_HERE.items():
    setattr(Tensor, _name, Missing(_name, _cure))


def tensor(data: Any, requires_grad: bool = False, dtype: Any = None) -> Tensor:
    """A new Tensor, as Tensor(data) makes it; `dtype` is there to be refused, unless it is float32.
    """
    if dtype is not None and np.dtype(dtype) != FLOAT32:
        raise TypeError(
            f"every Tensor is float32, not {dtype}: labels and indices are NumPy arrays, "
            "np.array(..., dtype=np.intp)."
        )
    return Tensor(data, requires_grad)


def from_numpy(array: np.ndarray) -> Tensor:
    """A Tensor with a copy of the array's numbers (PyTorch's shares the memory)."""
    return Tensor(array)


def minimum(a: Any, b: Any) -> Tensor:
    """The smaller of a and b, element by element."""
    return -maximum(-a, -b)


def zeros_like(x: Tensor, requires_grad: bool = False) -> Tensor:
    """Zeros in the shape of x."""
    return zeros(x.shape, requires_grad=requires_grad)


def ones_like(x: Tensor, requires_grad: bool = False) -> Tensor:
    """Ones in the shape of x."""
    return ones(x.shape, requires_grad=requires_grad)


def full_like(x: Tensor, value: float, requires_grad: bool = False) -> Tensor:
    """One value in the shape of x."""
    return full(x.shape, value, requires_grad)


def rand_like(x: Tensor, requires_grad: bool = False) -> Tensor:
    """Uniform random numbers in the shape of x."""
    return rand(x.shape, requires_grad=requires_grad)


def randn_like(x: Tensor, requires_grad: bool = False) -> Tensor:
    """Normal random numbers in the shape of x."""
    return randn(x.shape, requires_grad=requires_grad)


def linspace(start: float, stop: float, count: int) -> Tensor:
    """`count` evenly spaced numbers from `start` to `stop`, both included."""
    return Tensor(np.linspace(start, stop, count))


def tril(x: Tensor, diagonal: int = 0) -> Tensor:
    """The lower triangle of the last two axes, zeros above `diagonal`."""
    return where(np.tri(*x.shape[-2:], diagonal, dtype=bool), x, 0)


def triu(x: Tensor, diagonal: int = 0) -> Tensor:
    """The upper triangle of the last two axes, zeros below `diagonal`."""
    return where(~np.tri(*x.shape[-2:], diagonal - 1, dtype=bool), x, 0)


def randperm(n: int) -> np.ndarray:
    """The numbers 0 to n - 1 in random order, an array of integers."""
    return generator().permutation(n).astype(np.intp)


def randint(low: int, high: int | None = None, size: Any = ()) -> np.ndarray:
    """Random integers from `low` up to, not including, `high` (from 0 up to `low` if there is no
    `high`).
    """
    return generator().integers(
        *((0, low) if high is None else (low, high)), size=size, dtype=np.intp
    )


def save(state: dict[str, Any], path: Any) -> None:
    """Write a state_dict, names with arrays, to a file (NumPy's .npz); the file is there whole or
    not at all.

    Raises:
        TypeError: something else than a dictionary of arrays and numbers.
    """
    if not isinstance(state, dict) or any(
        isinstance(value, dict) or callable(value) for value in state.values()
    ):
        raise TypeError(
            "save takes a dictionary of names and arrays, such as model.state_dict(); a whole run "
            "is saved by Trainer.save(path)."
        )
    part = f"{path}.part"
    with open(part, "wb") as file:
        np.savez(file, **{name: raw(value) for name, value in state.items()})
    os.replace(part, path)


def load(path: Any) -> dict[str, np.ndarray]:
    """Read what `save` wrote: names with arrays."""
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


# %% [markdown]
r"""
## Putting it together: reading handwriting without learning

Before any network, the oldest classifier there is: to name an unknown digit, find the most similar known one and repeat its
name. "Similar" is the squared distance between two rows of pixels, for every pair of rows at once:

$$D_{ij} = \sum_d (a_{id} - b_{jd})^2 = |a_i|^2 - 2\, a_i \cdot b_j + |b_j|^2$$

The middle form wants an (N, M, D) table in memory: for 400 against 1,400 digits of 64 pixels, 400 · 1,400 · 64 · 4 bytes = 143 MB.
The right one never builds it. Write it with your own Tensor: a matmul, two sums, and broadcasting.
"""

# %% nbgrader={"grade": false, "grade_id": "squared-distances", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """Return the squared distance between every row of `a` and every row of `b`.

    Args:
        a: shape (N, D).
        b: shape (M, D).

    Returns:
        Tensor of shape (N, M).

    TODO: the right-hand form, with Tensor operations only.
    APPROACH: 1. |a|^2 as a column (N, 1)  2. |b|^2 as a row (M,)  3. subtract twice a @ b.T
    EXAMPLE:
        >>> squared_distances(Tensor([[0, 0]]), Tensor([[3, 4], [1, 0]])).data
        array([[25.,  1.]], dtype=float32)

    HINT: `keepdims=True` makes the column; (N, 1) - (N, M) + (M,) broadcasts to (N, M).
    """
    ### BEGIN SOLUTION
    column = (a * a).sum(axis=1, keepdims=True)  # (N, 1)
    row = (b * b).sum(axis=1)  # (M,)
    return column - 2 * (a @ b.T) + row  # (N, M)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-squared-distances", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_squared_distances():
    """Known triangles, then every pair against the direct formula."""
    a, b = [[0, 0], [1, 1]], [[3, 4], [1, 0], [0, 0]]
    check_close(lambda: squared_distances(Tensor(a), Tensor(b)).data, [[25, 1, 0], [13, 1, 2]])
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(7)
    for n, m, d in ((4, 4, 6), (1, 5, 3)):
        x, y = rng.normal(size=(n, d)), rng.normal(size=(m, d))
        expected = ((x[:, None] - y[None]) ** 2).sum(-1)
        check_close(lambda: squared_distances(Tensor(x), Tensor(y)).data, expected, atol=1e-4)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_squared_distances()

# %% [markdown]
r"""
## Measure: what did the library buy?

Three predictions to check. How many times faster than your loops is BLAS at 64 x 64? How does `x ** 3.0` compare with `x * x * x`?
And does it matter along which axis a table is read?
"""


# %%
def analyze_matmul():
    """Billions of multiply-adds per second: three loops against BLAS, 8 to 512 on a side."""
    sides = [8, 16, 32, 64, 128, 256, 512]
    rng = np.random.default_rng(0)
    squares = {n: rng.random((n, n), dtype=np.float32) for n in sides}
    blas = compare({n: lambda a=a: np.matmul(a, a) for n, a in squares.items()})
    loops = {n: bench(matmul_loops, squares[n], squares[n], samples=3) for n in sides if n <= 64}
    rates = {
        name: [n**3 / timing.low_ms / 1e6 for n, timing in timings.items()]
        for name, timings in (("your loops", loops), ("BLAS", blas))
    }
    fig, ax = plt.subplots(figsize=(5, 3))
    for marker, (name, values) in zip("so", rates.items(), strict=True):
        ax.loglog(sides[: len(values)], values, marker=marker, label=name, base=2)
    ax.set_yscale("log", base=10)
    ax.set(xlabel="side of the matrix", ylabel="billion multiply-adds per second")
    ax.set_title("One formula, two machines")
    ax.legend()
    print(f"At 64 x 64 BLAS is {rates['BLAS'][3] / rates['your loops'][3]:,.0f} times faster.")
    print(f"BLAS: {rates['BLAS'][0]:.2g} billion multiply-adds per second at 8 x 8,", end=" ")
    print(f"{rates['BLAS'][-1]:.0f} billion at 512 x 512")
    alt = "Multiply-adds per second against matrix side: the loops stay flat, BLAS climbs far above"
    show(fig, alt=alt)


if __name__ == "__main__":
    analyze_matmul()

# %% [markdown]
r"""
The loops pay Python's price for every single multiplication: an object for each number, a look-up for each `*`. BLAS pays once
per call, keeps blocks of both matrices in the cache and lets one instruction work on several numbers.

Why does its rate *grow* with the size? Two n x n matrices are $2n^2$ numbers to read and $n^3$ multiply-adds to do: n/2 for each number.
At 8 x 8 that is 4, at 512 x 512 it is 256, or 64 for each byte. This ratio, **arithmetic per byte**, decides what can be fast at all, and
you will meet it in every module. (An H100 accelerator does $989 \cdot 10^{12}$ operations a second in bfloat16 and moves
$3.35 \cdot 10^{12}$ bytes, says NVIDIA's data sheet for the SXM version, without sparsity. 989 / 3.35 = 295: code that does fewer operations for
each byte leaves it waiting. To draw the two limits as a *roofline* is the idea of Williams, Waterman and Patterson, 2009.)

Now your guess about cubes, on three kinds of numbers.
"""


# %%
def analyze_cubes():
    """Milliseconds for the cubes of a million numbers: as a product, as a power, and yours."""
    rng = np.random.default_rng(0)
    x = rng.random(1_000_000, dtype=np.float32) + np.float32(0.5)
    mixed = x * rng.choice(np.float32([-1, 1]), size=x.size)
    for name, y in (("positive", x), ("negative", -x), ("mixed", mixed)):
        t = Tensor(y)
        ways = {"x * x * x": lambda: y * y * y, "x ** 3.0": lambda: y**3.0, "yours": lambda: t**3}
        ms = {way: timing.low_ms for way, timing in compare(ways, samples=5).items()}
        ratio = f"x ** 3.0 takes {ms['x ** 3.0'] / ms['x * x * x']:.0f} times the product's time"
        print(f"{name:9}", *(f"{way} {taken:7.2f} ms  " for way, taken in ms.items()), ratio)


if __name__ == "__main__":
    analyze_cubes()

# %% [markdown]
r"""
The product's time does not depend on the numbers. The power's may. For *any* exponent y it is computed as $2^{y \log_2 x}$, and a negative
number has no logarithm: the routine must find out whether the exponent is whole, and odd. If your second and third lines are much slower
than your first, your NumPy has a quick way for positive numbers only, many at a time, and every other number leaves it for a slow one; if
the three are alike, it takes one way for all. So "how slow is `x ** 3.0`?" has no answer until you say on which numbers.

Last, reading a table along its rows and across them.
"""


# %%
def analyze_order():
    """Milliseconds for the same million numbers, along the rows of the memory and across them."""
    x = np.random.default_rng(0).random((1024, 1024), dtype=np.float32)
    ways = {
        "x.T": lambda: x.T,
        "x.copy()": lambda: x.copy(),
        "x.T.copy()": lambda: x.T.copy(),
        "x.sum(axis=1)": lambda: x.sum(axis=1),
        "x.T.sum(axis=1)": lambda: x.T.sum(axis=1),
    }
    ms = {name: timing.low_ms for name, timing in compare(ways).items()}
    for name, taken in ms.items():
        print(f"{name:16} {taken:9.4f} ms")
    copying = ms["x.T.copy()"] / ms["x.copy()"]
    summing = ms["x.T.sum(axis=1)"] / ms["x.sum(axis=1)"]
    print(f"across the rows copying takes {copying:.1f} times as long, summing {summing:.1f} times")


if __name__ == "__main__":
    analyze_order()

# %% [markdown]
r"""
`x.T` alone takes next to nothing, as promised: a new note about old memory. `x.T.copy()` has to read or write against the grain, one number
from each cache line. The two sums hold a surprise that the last question of this page asks you to explain.

### A word on freed memory

One more habit of the machine will matter when we train. glibc, the C library of most Linux systems, gives a large block back to the operating
system as soon as it is freed; the next temporary gets fresh pages, which the system fills with zeros first. What counts as large adapts to the
program, up to 32 MB on a 64-bit system (mallopt(3), on M_MMAP_THRESHOLD). Asking it to keep freed memory is two calls, in the folded cell. It changes
nothing but speed, and `TINYTORCH_KEEP_MEMORY=0` switches it off.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "keep-freed-memory", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # parameter numbers of mallopt(3)


def keep_freed_memory() -> bool:
    """Ask glibc to keep freed memory instead of returning it to the system at every temporary (see
    mallopt(3)).

    Returns:
        Whether it was done: not on other C libraries, nor with TINYTORCH_KEEP_MEMORY=0 in the
        environment.
    """
    if os.environ.get("TINYTORCH_KEEP_MEMORY") == "0":
        return False
    try:
        libc = ctypes.CDLL("libc.so.6")
        large = 1 << 30  # bytes: blocks up to here come from the heap, which keeps what is freed
        return bool(libc.mallopt(M_MMAP_THRESHOLD, large) and libc.mallopt(M_TRIM_THRESHOLD, large))
    except (OSError, AttributeError):
        return False


# %%
def fresh_pages() -> int:
    """Pages that the system has given to this process so far; 0 where it does not count them."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def analyze_freed_memory():
    """Time and fresh pages of temporaries, before and after asking to keep freed memory."""
    blocks = {megabytes: np.ones(megabytes << 18, np.float32) for megabytes in (4, 40)}
    for keep in (lambda: False, keep_freed_memory):
        kept = keep()
        for megabytes, x in blocks.items():
            ms = bench(np.add, x, x, samples=5).low_ms
            before = fresh_pages()
            np.add(x, x)
            pages = fresh_pages() - before
            print(f"kept: {kept!s:5}   {megabytes:2} MB: {ms:6.2f} ms, {pages:6,} fresh pages")


if __name__ == "__main__":
    analyze_freed_memory()

# %% [markdown]
r"""
Where the number of fresh pages falls to 0, the time that is saved is the price of asking for them. Where it was 0 before, there was nothing
to save.

## The whole module

1,797 digits, written by 13 people and scanned to 8 x 8 pixels, lie in `datasets/digits`. Your Tensor reads the handwriting of
the last 397 by comparing them with the first 1,400. Guess the share of right answers first.
"""

# %% nbgrader={"grade": false, "grade_id": "nearest", "locked": true, "schema_version": 3, "solution": false, "task": false}
def nearest(unknown: np.ndarray, known: np.ndarray) -> np.ndarray:
    """For each row of `unknown`, which row of `known` is the most similar."""
    return squared_distances(Tensor(unknown), Tensor(known)).data.argmin(axis=1)


# %%
def analyze_neighbours():
    """Four digits read correctly and four that are not, over their nearest neighbours."""
    pixels, labels = load_digits()
    found = nearest(pixels[1400:], pixels[:1400])
    right = labels[found] == labels[1400:]
    print(f"your Tensor reads {right.mean():.1%} of the 397 new digits correctly")
    chosen = [*np.flatnonzero(right)[:4], *np.flatnonzero(~right)[:4]]
    fig, axes = plt.subplots(2, 8, figsize=(5, 1.9), squeeze=False)
    for column, i in enumerate(chosen):
        for row, digit in enumerate((1400 + i, found[i])):
            axes[row, column].imshow(pixels[digit].reshape(8, 8), cmap="gray_r")
            axes[row, column].set_title(str(labels[digit]), fontsize=9)
            axes[row, column].set(xticks=[], yticks=[])
    axes[0, 0].set_ylabel("new", fontsize=9)
    axes[1, 0].set_ylabel("nearest", fontsize=9)
    show(fig, alt="Eight digits over their nearest neighbours: four pairs of one name, four of two")


if __name__ == "__main__":
    analyze_neighbours()

# %% [markdown]
r"""
Look at the four on the right, if there are four: would you have known better?
"""

# %% nbgrader={"grade": true, "grade_id": "test-module-tensor", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_module():
    """The parts together: nearest neighbours read real digits, and shapes survive a round trip."""
    pixels, labels = load_digits()
    known, new = pixels[:1400], pixels[1400:]
    share = 0.96  # of right answers, to 1 %
    check_close(lambda: (labels[nearest(new, known)] == labels[1400:]).mean(), share, atol=0.01)
    x = Tensor(np.arange(24)).reshape(2, -1, 4)  # (2, 3, 4)
    check_close(lambda: cat([x, x], axis=1).mean(axis=(0, 1)).data, [10, 11, 12, 13])
    ### BEGIN HIDDEN TESTS
    batch = Tensor(pixels[:6]).reshape(2, 3, 64)
    scores = batch @ Tensor(pixels[:5]).T  # (2, 3, 64) @ (64, 5) -> (2, 3, 5)
    check_close(lambda: scores.data.reshape(6, 5), pixels[:6] @ pixels[:5].T, rtol=1e-3)
    check_close(lambda: Tensor(pixels).var(axis=0).data, pixels.var(axis=0), atol=1e-3)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_module()

# %% [markdown]
r"""
**Question.** `x.T.sum(axis=1)` adds, for each of its results, values that lie 4,096 bytes apart. If it walked through them one
after the other, it should be slow for the reason that makes `x.T.copy()` slow. Compare the two ratios that your measurement
printed. What must NumPy be doing?
"""

# %% [markdown] nbgrader={"grade": true, "grade_id": "q-strides", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
r"""
It does not walk across. A sum over either axis is free to choose its loop order, so NumPy adds whole rows, which lie in order in memory, to
a row of 1,024 partial sums: no cache line is wasted, and neighbouring sums are independent, so one instruction adds several. Along a row
all values go into *one* sum, each addition waits for the one before, and NumPy can only split the chain into a few. A copy has no such
choice: it must read in one order and write in the other.
"""

# %% [markdown]
r"""
**To think about.** A stretched axis has stride 0, so `expand` makes a (1000000, 64) view of 64 numbers for free. What should happen
when somebody writes into it?

You can hold numbers, combine them and measure what it costs. But stack as many matmuls as you like: the whole
is still one matmul. **Module 02** adds the bend.
"""
