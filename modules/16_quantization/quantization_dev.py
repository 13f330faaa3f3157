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
# Module 16: Quantization

A trained weight such as 0.0413728 takes four bytes, and most of its digits say nothing. Today you store every weight of a network in a single byte and let it compute with whole numbers: three quarters
of the memory are free, and you measure what that costs.

**Needs** `Tensor` (01), layers (03), autograd (05), training (07), convolution (09), embeddings (11), attention (12), a GPT (13), the Profiler (14), and, for its own networks, activations (02), losses (04) and optimizers (06) | **Exports** `tinytorch.optimization.quantization` | **About** 5 hours | **Points** 95

The two folded cells below import what this page needs.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| default_exp optimization.quantization
#| export
import warnings
from math import prod
from typing import Any, NamedTuple

import numpy as np

from tinytorch.core.attention import MultiHeadAttention
from tinytorch.core.autograd import Context, Function, no_grad
from tinytorch.core.layers import Linear, Module, Parameter, members, opened, state_arrays
from tinytorch.core.spatial import Columns, Conv2d, Window, by_group, check_images
from tinytorch.core.tensor import ShapeError, Tensor, raw
from tinytorch.core.training import as_input
from tinytorch.profiling.profiler import conv2d_flops, flops_of, linear_flops
from tinytorch.text.embeddings import Embedding, check_ids

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "page-imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
import copy  # this page only: tests, plots and measurements are not exported

import matplotlib.pyplot as plt

from tinytorch.core.activations import relu
from tinytorch.core.losses import cross_entropy
from tinytorch.core.optimizers import AdamW
from tinytorch.core.tensor import keep_freed_memory, manual_seed
from tinytorch.models.transformer import GPT
from tito.lab import check_close, check_equal, check_raises, compare
from tito.lab import load_digits, peak_bytes, show

# %% [markdown]
r"""
## A grid under the numbers

A byte holds 256 different values, the whole numbers $q$ from -128 to 127. Which real numbers shall they stand for? The simplest answer is a grid of equal steps:

$$x \approx s \cdot (q - z)$$

$s$ is the **scale**, the width of a step; $z$ is the **zero point**, the whole number that stands for 0.0. With 2 bits there are four values, -2 to 1, and you can draw it. Below, the numbers -1, 0, 0.5 and 2 on two grids:

```
affine: from the smallest to the largest         symmetric: 0 stands for 0, and -2 is left out

q        -2     -1      0      1                 q        -1             0             1
x        -1      0      1      2                 x        -2             0             2
s = 3 / 3 = 1,  z = -1                           s = 2 / 1 = 2,  z = 0
```

A grid always contains 0 exactly, for a network is full of zeros: ReLU's, the padding's. So a range that lies beside 0, such as 5 to 7, is stretched to it, 0 to 7. Before you write it down: to which end does the affine $z$
go for numbers that are all positive, and which half of the symmetric grid do they leave unused?
"""


# %% nbgrader={"grade": false, "grade_id": "scale-and-zero-point", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def scale_and_zero_point(
    low: Any, high: Any, bits: int = 8, symmetric: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Lay a grid of 2**bits whole numbers over the range from low to high.

    Args:
        low, high: numbers, or arrays of one shape; low <= high.
        bits: of each whole number; they go from -2**(bits-1) to 2**(bits-1) - 1.
        symmetric: the same range on both sides of 0, without the lowest whole number; z is 0.

    Returns:
        The scale, float32, and the zero point, int16; both of the shape of low.

    TODO: both grids.
    APPROACH: 1. stretch the range so that it contains 0  2. top = 2**(bits-1) - 1
        3. symmetric: `top` steps reach the farther end
        4. else: 2**bits - 1 steps from low to high; -top - 1 stands for low: solve for z, round it
        5. a range of nothing but 0 gets the scale 1, so that nobody divides by 0
    EXAMPLE:
        >>> [float(part) for part in scale_and_zero_point(-1, 2, bits=2)]
        [1.0, -1.0]

    HINT: np.minimum, np.rint and np.where take arrays as well; low = s * (-top - 1 - z).
    """
    ### BEGIN SOLUTION
    low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
    top = 2 ** (bits - 1) - 1
    width = np.maximum(-low, high) / top if symmetric else (high - low) / (2**bits - 1)
    scale = np.float32(width)
    scale = np.where(scale == 0, np.float32(1), scale)
    zero_point = np.zeros_like(scale) if symmetric else np.rint(-top - 1 - low / scale)
    return scale, zero_point.astype(np.int16)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-scale-and-zero-point", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_scale_and_zero_point():
    """Both kinds of grid, a range beside 0, one of nothing but 0, and many ranges at once."""
    check_close(lambda: scale_and_zero_point(-1.0, 2.0, bits=2), [1, -1])
    check_close(lambda: scale_and_zero_point(-1.0, 3.0, bits=2, symmetric=True), [3, 0])
    check_close(lambda: scale_and_zero_point(4.0, 6.0), [6 / 255, -128])
    check_close(lambda: scale_and_zero_point(0.0, 0.0), [1, -128])
    low, high = np.array([[-1.0], [0.0]]), np.array([[1.0], [2.54]])
    check_close(lambda: scale_and_zero_point(low, high, symmetric=True)[0], [[1 / 127], [0.02]])
    check_equal(lambda: [part.dtype.name for part in scale_and_zero_point(low, high)],
                ["float32", "int16"])  # fmt: skip
    ### BEGIN HIDDEN TESTS
    check_close(lambda: scale_and_zero_point(-9.0, -8.0), [9 / 255, 127])
    check_close(lambda: scale_and_zero_point(-9.0, -8.0, bits=4, symmetric=True), [9 / 7, 0])
    check_close(lambda: scale_and_zero_point(low, 6 * high)[1], [[-92], [-128]])
    check_close(lambda: scale_and_zero_point(-3e38, 3e38)[0] / 1e36, 6e2 / 255)
    check_close(lambda: scale_and_zero_point(0.0, 0.0, bits=3, symmetric=True), [1, 0])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_scale_and_zero_point()

# %% [markdown]
r"""
Now from numbers to the grid and back. `on_grid` is the rounding itself: divide by the scale, round, add the zero point. What lies beyond the ends of the grid goes to its end (**saturates**), for a whole number that does not fit
into a byte would come out at the other side: `np.array(200).astype(np.int8)` is -56. It returns whole numbers *in float32*: you will see at the product why.

`quantize_int8` finds the range by itself (`value_range`, folded), of the whole array or, with `axis=0`, of each row on its own. How far can a number within the range be moved by the rounding, in steps?
"""


# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-range", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def value_range(x: np.ndarray, axis: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest number of x and 0; with an axis for each of its entries.

    Returns:
        float64 arrays, of shape () or that of x with 1 for all axes but `axis`.

    Raises:
        ValueError: a number is nan or infinite, so there is no grid for it.

    Example:
        >>> value_range(np.float32([[1, 2], [-3, 4]]), axis=0)[0]
        array([[ 0.],
               [-3.]])
    """
    others = tuple(i for i in range(x.ndim) if i != axis % x.ndim) if axis is not None else None
    keep = axis is not None
    low, high = (f(x, axis=others, keepdims=keep, initial=0) for f in (np.min, np.max))
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise ValueError("nan or infinity has no place on a grid: has the training run away?")
    return np.float64(low), np.float64(high)


def check_bits(bits: Any) -> None:
    """Refuse what no int8 can hold: bits go from 2 to 8."""
    if isinstance(bits, bool) or not isinstance(bits, int | np.integer) or not 2 <= bits <= 8:
        raise ValueError(f"bits is a whole number from 2 to 8, which int8 can hold, not {bits!r}.")


def check_axis(axis: Any, ndim: int) -> None:
    """Refuse what is no axis of an array: PyTorch's functions take a scale and a zero point there.
    """
    whole = isinstance(axis, int | np.integer) and not isinstance(axis, bool)
    if axis is not None and not (whole and -ndim <= axis < ndim):
        known = f" or a whole number from {-ndim} to {ndim - 1}" if ndim else ""
        raise ValueError(f"axis is None{known}, not {axis!r}: scale and zero point are found here, "
                         "not given.")


# %% nbgrader={"grade": false, "grade_id": "quantize-int8", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def on_grid(x: np.ndarray, scale: Any, zero_point: Any, bits: int = 8) -> np.ndarray:
    """The whole numbers, as float32, that stand for x; beyond the grid's ends, its ends.

    A half goes to the even number beside it, and only then the zero point is added.
    """
    ### BEGIN SOLUTION
    top = 2 ** (bits - 1) - 1
    whole = np.asarray(x / scale)
    np.rint(whole, out=whole)
    whole += zero_point
    return np.clip(whole, -top - 1, top, out=whole)
    ### END SOLUTION


def quantize_int8(
    x: Any, axis: int | None = None, symmetric: bool = False, bits: int = 8
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Store numbers as int8.

    Args:
        x: numbers of any shape, an array or a Tensor.
        axis: None for one grid, or the axis whose every entry gets a grid of its own.
        symmetric, bits: see scale_and_zero_point.

    Returns:
        int8 array of x's shape, the scale and the zero point, which fit on it by broadcasting.

    Raises:
        ValueError: nan or infinity; bits outside 2 to 8; an axis that x has not.

    TODO: on_grid above, and the steps here.
    APPROACH: 1. there: divide, round, shift, saturate  2. here: the range, see value_range
        3. scale and zero point  4. the whole numbers, as int8
    EXAMPLE:
        >>> values, scale, zero_point = quantize_int8([-1.0, 0, 0.5, 2], bits=2)
        >>> values.tolist(), float(scale), int(zero_point)
        ([-2, -1, -1, 1], 1.0, -1)

    HINT: np.rint rounds to the nearest whole number, a half to the even one: 0.5 to 0, and 0 - 1 is
        the -1 of the example. `.astype` alone cuts.
    """
    check_bits(bits)
    x = np.asarray(raw(x), dtype=np.float32)
    check_axis(axis, x.ndim)
    ### BEGIN SOLUTION
    low, high = value_range(x, axis)
    scale, zero_point = scale_and_zero_point(low, high, bits, symmetric)
    return on_grid(x, scale, zero_point, bits).astype(np.int8), scale, zero_point
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-quantize-int8", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_quantize_int8():
    """Halves and both ends, the drawing, and a grid for each row."""
    halves, one = np.float32([-0.5, 0.5, 1.5, 2.5]), np.float32(1)
    check_close(lambda: on_grid(halves, one, -1), [-1, -1, 1, 1])
    check_close(lambda: on_grid(np.float32([-9, -0.6, 9]), one, 3), [-6, 2, 12])
    check_close(lambda: on_grid(np.float32([-90, 90]), np.float32(0.5), 0), [-128, 127])
    x = np.float32([-1, 0, 0.5, 2])
    check_equal(lambda: quantize_int8(x, bits=2)[0].tolist(), [-2, -1, -1, 1])
    check_equal(lambda: quantize_int8(x, symmetric=True)[0].tolist(), [-64, 0, 32, 127])
    check_equal(lambda: quantize_int8(x)[0].dtype.name, "int8")
    rows = np.float32([[1, -2], [100, 50]])
    check_equal(lambda: quantize_int8(rows, 0, True)[0].tolist(), [[64, -127], [127, 64]])
    check_raises(ValueError, lambda: quantize_int8([1.0, np.nan]), mentions=["nan"])
    ### BEGIN HIDDEN TESTS
    y = np.random.default_rng(0).normal(size=(4, 3, 5)).astype(np.float32)
    check_equal(lambda: [part.shape for part in quantize_int8(y, axis=1)],
                [(4, 3, 5), (1, 3, 1), (1, 3, 1)])  # fmt: skip
    check_equal(lambda: on_grid(y, np.float32(0.1), np.int16(3)).dtype.name, "float32")
    expected = np.clip(np.rint(y / 0.1) + 3, -8, 7)
    check_close(lambda: on_grid(y, np.float32(0.1), 3, bits=4), expected)
    check_equal(lambda: quantize_int8([5.0, 6, 7])[0].tolist(), [54, 91, 127])
    check_equal(lambda: quantize_int8([-9.0, -8.0])[0].tolist(), [-128, -100])
    check_equal(lambda: quantize_int8(np.zeros(3), symmetric=True)[0].tolist(), [0, 0, 0])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_quantize_int8()


# %% nbgrader={"grade": false, "grade_id": "dequantize-int8", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def dequantize_int8(values: Any, scale: Any, zero_point: Any = 0) -> np.ndarray:
    """The float32 numbers that int8 values stand for: s * (q - z).

    Args:
        values: int8, any shape; a list or a Tensor of such numbers will do.
        scale, zero_point: numbers, or arrays that fit on values by broadcasting.

    TODO: the formula.
    APPROACH: 1. the values as float32  2. minus the zero point  3. times the scale
    EXAMPLE:
        >>> dequantize_int8(np.int8([-2, -1, -1, 1]), np.float32(1), -1)
        array([-1.,  0.,  0.,  2.], dtype=float32)

    HINT: 127 - (-128) is 255, and no int8.
    """
    values = np.asarray(raw(values))
    ### BEGIN SOLUTION
    return (values.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-dequantize-int8", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_dequantize_int8():
    """The ends of the grid, and a grid for each row."""
    check_close(lambda: dequantize_int8(np.int8([-128, 0, 127]), 0.5, -128), [0, 64, 127.5])
    values = np.int8([[-100, 100], [1, 2]])
    scale, zero_point = np.float32([[0.5], [10]]), np.int16([[100], [-3]])
    check_close(lambda: dequantize_int8(values, scale, zero_point), [[-100, 0], [40, 50]])
    check_equal(lambda: dequantize_int8(values, scale, zero_point).dtype.name, "float32")
    ### BEGIN HIDDEN TESTS
    many = np.random.default_rng(1).integers(-128, 128, size=(3, 4, 5)).astype(np.int8)
    each = np.float32([0.1, 0.01, 3, 0.25, 7]), np.int16([-128, 127, 0, 5, -5])
    expected = (many.astype(np.float64) - each[1]) * each[0]
    check_close(lambda: dequantize_int8(many, *each), expected, atol=1e-3)
    check_close(lambda: dequantize_int8(np.int8([-128, 127]), 2.0, 127), [-510, 0])
    check_close(lambda: dequantize_int8(np.int8([-3, 4]), 0.5), [-1.5, 2])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_dequantize_int8()

# %% [markdown]
r"""
## One grid, or one for each row?

The cell trains a small network on the 8 x 8 digits and looks at its first layer: 128 rows of 64 weights, a row for each output. One grid for all must reach the largest weight of them all. Guess: how much smaller does the mean error get when each row
has a grid of its own, and what does that cost in bytes?
"""


# %% nbgrader={"grade": false, "grade_id": "given-digits-net", "locked": true, "schema_version": 3, "solution": false, "task": false}
class DigitsNet(Module):
    """8 x 8 pixels to 10 classes."""

    def __init__(self):
        self.first = Linear(64, 128)
        self.second = Linear(128, 64)
        self.output = Linear(64, 10)

    def forward(self, x):
        h = relu(self.first(x))  # (B, 64) -> (B, 128)
        return self.output(relu(self.second(h)))  # (B, 128) -> (B, 64) -> (B, 10)


PIXELS, LABELS = load_digits()
SEEN, NEW = slice(0, 1400), slice(1400, 1797)


def train_digits(model, epochs, lr=3e-3, part=SEEN):
    """Train on digits in batches of 50, and return the model."""
    optimizer, rng = AdamW(model.parameters(), lr=lr), np.random.default_rng(0)
    for _ in range(epochs):
        for rows in np.array_split(rng.permutation(part.stop), part.stop // 50):
            optimizer.zero_grad()
            cross_entropy(model(Tensor(PIXELS[rows])), LABELS[rows]).backward()
            optimizer.step()
    return model


def right_on_new(model):
    """Share of the 397 new digits that it gets right."""
    with no_grad():
        return float((model(Tensor(PIXELS[NEW])).data.argmax(axis=1) == LABELS[NEW]).mean())


# %%
def analyze_rows():
    """The largest weight of each row; the error of one grid for all and of one for each."""
    manual_seed(0)
    weight = train_digits(DigitsNet(), epochs=10).first.weight.data
    errors = {}
    for name, axis in (("one grid", None), ("a grid for each row", 0)):
        values, scale, zero = quantize_int8(weight, axis, symmetric=True)
        errors[name] = np.abs(dequantize_int8(values, scale, zero) - weight).mean()
        cost = (values.nbytes + scale.nbytes) / weight.nbytes
        relative = errors[name] / np.abs(weight).mean()
        print(f"{name:20} error {relative:.2%} of the mean weight, {cost:.1%} of the bytes")
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
    top = np.abs(weight).max(axis=1)
    left.plot(np.sort(top), ".")
    left.axhline(top.max(), color="grey", linestyle="--", label="what one grid must reach")
    left.set(xlabel="row, sorted", ylabel="largest weight of the row", ylim=(0, None))
    left.legend(fontsize=7)
    row = np.sort(weight[0])
    right.plot(row, row, color="grey", linewidth=1, label="float32")
    for bits in (4, 3):
        values, scale, zero = quantize_int8(row, symmetric=True, bits=bits)
        right.step(row, dequantize_int8(values, scale, zero), where="mid", label=f"{bits} bits")
    right.set(xlabel="weight of row 0", ylabel="as stored")
    right.legend(fontsize=7)
    show(fig, alt="Left: largest weight by row. Right: weights against stored weights, a staircase")


if __name__ == "__main__":
    analyze_rows()

# %% [markdown]
r"""
## The product of whole numbers

Take a layer $y = W x$ with $W \approx s_w\, Q$ and $x \approx s_x (q - z)$. The scales come out of the sum, and what is left inside are whole numbers:

$$y \approx s_w\, s_x \sum_k Q_{ok} \,(q_k - z)$$

Here is the first surprise: the product of two int8 arrays in NumPy is int8. What is 100 * 2 in a byte? Sums of products need more room: chips that multiply bytes add them up in 32 bits, and so must you.
"""


# %% nbgrader={"grade": false, "grade_id": "integer-matmul", "locked": false, "schema_version": 3, "solution": true, "task": false}
def integer_matmul(values: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The exact product of two int8 matrices, as int32.

    Args:
        values: int8, shape (O, K).
        columns: int8, shape (K, N).

    TODO: one line.
    APPROACH: 1. widen before you multiply  2. multiply
    EXAMPLE:
        >>> integer_matmul(np.int8([[100, 100]]), np.int8([[2], [2]]))
        array([[400]], dtype=int32)

    HINT: after the product it is too late.
    """
    ### BEGIN SOLUTION
    return values.astype(np.int32) @ columns.astype(np.int32)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-integer-matmul", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_integer_matmul():
    """Sums that no byte holds."""
    a, b = np.int8([[100, 100], [1, -1]]), np.int8([[2, 127], [2, 127]])
    check_equal(lambda: integer_matmul(a, b).tolist(), [[400, 25400], [0, 0]])
    check_equal(lambda: integer_matmul(a, b).dtype.name, "int32")
    ### BEGIN HIDDEN TESTS
    long = np.full((1, 1000), -127, np.int8)
    check_equal(lambda: integer_matmul(long, long.T).tolist(), [[1000 * 127 * 127]])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_integer_matmul()

# %% [markdown]
r"""
Right, and slow: BLAS knows floating-point numbers only, so NumPy multiplies whole numbers in a plain loop. Guess the factor between it and the same product in float32, then run the cell.

float32 has 24 bits for its digits, so it holds **every whole number up to $2^{24} = 16{,}777{,}216$ exactly**. A product of two bytes is at most $128 \cdot 128 = 2^{14}$; how many of them can be added up without any rounding?
"""


# %%
def analyze_integers():
    """The integer product against the same numbers in float32."""
    rng = np.random.default_rng(2)
    shapes = (256, 1024), (1024, 64)
    a, b = (rng.integers(-127, 128, size=shape).astype(np.int8) for shape in shapes)
    fa, fb = a.astype(np.float32), b.astype(np.float32)
    ways = {"whole numbers": lambda: integer_matmul(a, b), "float32": lambda: fa @ fb}
    ms = {name: timing.low_ms for name, timing in compare(ways, samples=5).items()}
    print(", ".join(f"{name} {time:.2f} ms" for name, time in ms.items()), end="; ")
    print(f"{ms['whole numbers'] / ms['float32']:.0f} times slower")
    print("largest difference:", int(np.abs(integer_matmul(a, b) - fa @ fb).max()))


if __name__ == "__main__":
    analyze_integers()

# %% [markdown]
r"""
No difference at all: 1,024 products fit. So whole numbers may travel in float32 and be multiplied by BLAS. But if you widened the whole weight for it, you would have the four bytes back that you had saved. Widen a **block of rows** at a time into one small buffer, multiply, and
use the buffer again:

```
values (O, K), int8          buffer (rows, K), float32        columns (K, N)      sums (O, N)
+--------------+             +--------------+
|##############|  ------->   |              |       @             x           =   ########
|              |             +--------------+
|              |             the same memory for every block
+--------------+
```

`block_rows`, given, says how many rows: at most a quarter of them, and at most a mebibyte in all.
"""


# %% nbgrader={"grade": false, "grade_id": "int8-matmul", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
BLOCK = 1 << 18  # numbers in the float32 buffer: 1 MiB, which the cache of a core holds


def block_rows(out: int, K: int) -> int:
    """How many of `out` rows of K numbers are float32 at a time: a quarter, or what BLOCK holds."""
    return max(1, min(-(-out // 4), BLOCK // max(K, 1)))


def int8_matmul(values: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Multiply an int8 matrix and a float32 one, without ever widening the whole of it.

    Args:
        values: int8, shape (O, K).
        columns: float32, shape (K, N).

    Returns:
        float32 array, shape (O, N); exact for whole numbers whose sums stay below 2**24.

    TODO: the loop over blocks of rows.
    APPROACH: 1. a buffer of (block_rows, K) and an empty result  2. for each block: write the rows
        into the buffer  3. multiply, straight into its rows of the result
    EXAMPLE:
        >>> int8_matmul(np.int8([[100, 100], [1, -1]]), np.float32([[2], [3]])).tolist()
        [[500.0], [-1.0]]

    HINT: `buffer[...] = values[part]` converts; np.matmul(a, b, out=result[part]). The last block
        may be shorter than the buffer.
    """
    ### BEGIN SOLUTION
    out, K = values.shape
    buffer = np.empty((block_rows(out, K), K), np.float32)
    sums = np.empty((out, columns.shape[1]), np.float32)
    for start in range(0, out, len(buffer)):
        part = slice(start, start + len(buffer))
        block = buffer[: len(values[part])]  # the last one may be shorter
        block[...] = values[part]
        np.matmul(block, columns, out=sums[part])
    return sums
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-int8-matmul", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_int8_matmul():
    """Exact sums, a last block that is shorter, and no copy of the whole weight."""
    rng = np.random.default_rng(3)
    values = rng.integers(-128, 128, size=(10, 1024)).astype(np.int8)
    columns = rng.integers(-128, 128, size=(1024, 4)).astype(np.float32)
    exact = values.astype(np.int64) @ columns.astype(np.int64)
    check_equal(lambda: np.abs(int8_matmul(values, columns) - exact).max().item(), 0.0)
    check_equal(lambda: int8_matmul(values, columns).dtype.name, "float32")
    large, one = np.ones((512, 1024), np.int8), np.ones((1024, 1), np.float32)
    check_equal(lambda: peak_bytes(int8_matmul, large, one) < 4 * large.size / 2, True)
    ### BEGIN HIDDEN TESTS
    for out in (1, 3, 4, 5):
        few = values[:out, :7]
        expected = few.astype(float) @ columns[:7]
        check_close(lambda few=few: int8_matmul(few, columns[:7]), expected)
    real = rng.normal(size=(1024, 3)).astype(np.float32)
    check_close(lambda: int8_matmul(values, real), values.astype(float) @ real, atol=1e-2)
    turned = values.T[:40]
    check_close(lambda: int8_matmul(turned, columns[:10]), turned.astype(float) @ columns[:10])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_int8_matmul()

# %% [markdown]
r"""
Now the layer itself, on $N$ rows of inputs: round the inputs to their grid, subtract the zero point, multiply, and put both scales back. Every scale appears once, at the end, on numbers that are few; where would the zero point go if you forgot it? (What does an input of 0.0 give then?)
"""


# %% nbgrader={"grade": false, "grade_id": "int8-linear", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def int8_linear(
    x: np.ndarray, grid: tuple[Any, Any, int], values: np.ndarray, weight_scale: np.ndarray
) -> np.ndarray:
    """Weighted sums of whole numbers, scaled back: see the formula above.

    Args:
        x: inputs, float32, shape (N, K).
        grid: scale, zero point and bits of the inputs.
        values: the weight, int8, shape (O, K); its zero point is 0.
        weight_scale: float32, shape (O, 1).

    Returns:
        float32 array, shape (N, O).

    TODO: the four steps of the text.
    APPROACH: 1. on_grid, minus the zero point  2. int8_matmul; which of the two is turned?
        3. times both scales  4. the shape (N, O)
    EXAMPLE:
        >>> grid = np.float32(0.5), -2, 8
        >>> int8_linear(np.float32([[1, 3]]), grid, np.int8([[10, 1]]), np.float32([[2]]))
        array([[26.]], dtype=float32)

    HINT: the product has a row for each output, the result a row for each input.
    """
    ### BEGIN SOLUTION
    scale, zero_point, bits = grid
    whole = on_grid(x, scale, zero_point, bits)  # (N, K)
    whole -= zero_point
    sums = int8_matmul(values, whole.T)  # (O, K) @ (K, N) -> (O, N)
    sums *= scale * weight_scale
    return sums.T  # (N, O)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-int8-linear", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_int8_linear():
    """The example, inputs that the grid holds exactly, and real ones."""
    half, two = (np.float32(0.5), np.int16(-2), 8), np.float32([[2]])
    check_close(lambda: int8_linear(np.float32([[1, 3]]), half, np.int8([[10, 1]]), two), [[26]])
    rng = np.random.default_rng(4)
    values = rng.integers(-127, 128, size=(6, 40)).astype(np.int8)
    scale = rng.uniform(0.01, 0.02, size=(6, 1)).astype(np.float32)
    x, w = rng.uniform(0, 3, size=(5, 40)).astype(np.float32), values * scale
    grid = np.float32(3 / 255), np.int16(-128), 8
    check_close(lambda: int8_linear(x, grid, values, scale), x @ w.T, rtol=0, atol=0.2)
    check_equal(lambda: int8_linear(x, grid, values, scale).shape, (5, 6))
    ### BEGIN HIDDEN TESTS
    exact = np.rint(x / grid[0]).astype(np.float64) * grid[0] @ w.T.astype(np.float64)
    check_close(lambda: int8_linear(x, grid, values, scale), exact, atol=1e-4)
    zeros = np.zeros((2, 40), np.float32)
    check_close(lambda: int8_linear(zeros, grid, values, scale), np.zeros((2, 6)))
    narrow = np.float32(0.25), np.int16(2), 4  # from -2.5 to 1.25
    coarse = np.minimum(np.rint(x * 4), 5) / 4
    check_close(lambda: int8_linear(x, narrow, values, scale), coarse @ w.T, atol=1e-4)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_int8_linear()

# %% [markdown]
r"""
## Which range will the inputs have?

Weights are known; inputs come later. Two ways. **Dynamic**: look at each batch when it comes, and lay a symmetric grid as far as its largest number. **Calibrated**: let a few hundred typical inputs through once, note their range, and keep it. Then nothing needs to be measured at run time, and an affine
grid may follow a skewed range: behind a ReLU there is nothing below 0, and a symmetric grid would waste every second step.

One trap: a single freak among the inputs stretches the grid for all the others. So the range may leave out the tails: with `percentile=99.9`, one number in a thousand above it saturates, and one below. The price is paid by honest large numbers.
"""


# %% nbgrader={"grade": false, "grade_id": "calibrated-range", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def calibrated_range(samples: list[np.ndarray], percentile: float = 100.0) -> tuple[float, float]:
    """The range of what came in during calibration, with 0 in it.

    Args:
        samples: arrays of any shapes, one for each batch.
        percentile: share of the numbers, in percent, that lie below the upper end, and above the
            lower one; 100 keeps all.

    TODO: both ends.
    APPROACH: 1. all numbers in one array  2. np.percentile, at both ends  3. 0 belongs to it
    EXAMPLE:
        >>> calibrated_range([np.float32([1, 3]), np.float32([[2], [9]])])
        (0.0, 9.0)

    HINT: the lower end lies at 100 - percentile.
    """
    ### BEGIN SOLUTION
    numbers = np.concatenate([np.ravel(sample) for sample in samples])
    low, high = np.percentile(numbers, [100 - percentile, percentile])
    return min(float(low), 0.0), max(float(high), 0.0)
    ### END SOLUTION


def input_grid(x: np.ndarray, known: np.ndarray, bits: int = 8) -> tuple[Any, Any, int]:
    """The grid for a batch of inputs: scale, zero point, bits.

    Args:
        x: the inputs, float32, any shape.
        known: the calibrated range (low, high); both 0 if there is none.
        bits: of the whole numbers.

    TODO: the two cases of the text.
    APPROACH: 1. a known range: affine  2. none: value_range(x), symmetric
    EXAMPLE:
        >>> [float(part) for part in input_grid(np.float32([-1, 127]), np.float32([0, 0]))]
        [1.0, 0.0, 8.0]

    HINT: known.any() is False for two zeros.
    """
    ### BEGIN SOLUTION
    low, high = known if known.any() else value_range(x)
    return *scale_and_zero_point(low, high, bits, symmetric=not known.any()), bits
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-calibrated-range", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_calibrated_range():
    """All numbers, without the tails, and the grids of both ways."""
    low_to_high = [np.arange(-100.0, 0.0), np.arange(0.0, 301.0).reshape(7, 43)]
    check_close(lambda: calibrated_range(low_to_high), [-100, 300])
    check_close(lambda: calibrated_range(low_to_high, percentile=95.0), [-80, 280])
    check_close(lambda: calibrated_range([np.float32([5, 7])]), [0, 7])
    x, none, known = np.float32([-1, 254]), np.float32([0, 0]), np.float32([0, 510])
    check_close(lambda: input_grid(x, none), [2, 0, 8])
    check_close(lambda: input_grid(x, known), [2, -128, 8])
    check_close(lambda: input_grid(x, known, bits=4), [34, -8, 4])
    ### BEGIN HIDDEN TESTS
    check_close(lambda: calibrated_range([np.float32([-9]), np.float32([-8, -8.5])]), [-9, 0])
    check_close(lambda: calibrated_range([np.arange(-100.0, 1.0)], percentile=50.0), [-50, 0])
    check_close(lambda: input_grid(np.float32([-508, 3]), none, bits=3), [508 / 3, 0, 3])
    check_close(lambda: input_grid(np.float32([-508, 3]), np.float32([-255, 0])), [1, 127, 8])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_calibrated_range()

# %% [markdown]
r"""
## Layers of one byte

`Int8Weight`, folded below, keeps the whole numbers (O, ...) and a scale for each of the O rows, and no other copy of them. Both are buffers of module 03, so that `state_dict`, saving and loading work as before. It answers `x @ weight.T` as an array would, with `int8_matmul`, so that your `linear` of module 03 takes
it as it is: the packed projections of attention and a head that is tied to the embedding stay what they were. There only the weight is rounded; in the layers that follow the inputs are, too.
"""


# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-int8-weight", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Int8Weight(Module):
    """A weight as whole numbers, one scale for each row; the float32 numbers are gone.

    values: buffer, int8, shape (O, ...).
    scale:  buffer, float32, shape (O, 1); row o stands for values[o] * scale[o].

    Args:
        weight: float32 numbers, or a Parameter with them.
        bits: how many each number may use, 2 to 8; it lies in a byte all the same.

    Raises:
        ValueError: nan or infinity in the weight; bits outside 2 to 8.

    Example:
        >>> weight = Int8Weight([[1.0, -2.0], [0.5, 0.25]])
        >>> weight.values.dtype.name, weight.shape
        ('int8', (2, 2))
        >>> (np.float32([[1, 1]]) @ weight.T).round(3)
        array([[-0.992,  0.752]], dtype=float32)
    """

    __array_ufunc__ = None  # an array leaves `array @ weight` to the weight

    def __init__(self, weight: Any, bits: int = 8) -> None:
        values, scale, _ = quantize_int8(weight, axis=0, symmetric=True, bits=bits)
        self.bits = bits
        self.register_buffer("values", values)
        self.register_buffer("scale", scale.reshape(-1, 1))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the weight."""
        return self.values.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.values.ndim

    @property
    def T(self) -> "TurnedWeight":
        """The weight with its axes exchanged, for `x @ weight.T`."""
        return TurnedWeight(self)

    def __getattr__(self, name: str) -> Any:
        if name in ("data", "grad", "numpy", "requires_grad"):
            raise AttributeError(f"Int8Weight has no {name}: {GONE}", name=name, obj=self)
        return super().__getattr__(name)

    def __getitem__(self, rows: slice) -> "Int8Weight":
        """Some of the rows, as a view."""
        part = object.__new__(Int8Weight)
        part.bits, part.values, part.scale = self.bits, self.values[rows], self.scale[rows]
        return part

    def __rmatmul__(self, g: np.ndarray) -> np.ndarray:
        """g @ weight, (..., O) @ (O, K): a gradient on its way back."""
        rows = g.reshape(-1, g.shape[-1]) * self.scale.T  # (N, O)
        return int8_matmul(self.values.T, rows.T).T.reshape(*g.shape[:-1], self.shape[1])

    def extra_repr(self) -> str:
        return " x ".join(map(str, self.shape))


class TurnedWeight:
    """What `weight.T` of an Int8Weight is."""

    __array_ufunc__ = None

    def __init__(self, weight: Int8Weight) -> None:
        self.weight = weight
        self.shape = weight.shape[::-1]

    def __rmatmul__(self, x: np.ndarray) -> np.ndarray:
        """x @ weight.T, (..., K) @ (K, O) -> (..., O), of real inputs."""
        rows = x.reshape(prod(x.shape[:-1]), x.shape[-1])  # (N, K)
        sums = int8_matmul(self.weight.values, rows.T)  # (O, N)
        sums *= self.weight.scale
        return sums.T.reshape(*x.shape[:-1], len(sums))


GONE = ("quantization rounded the float32 weights, and they are gone: nothing brings them back. "
        "Keep them with twin = copy.deepcopy(model) before quantize_model(model).")  # fmt: skip


# %% [markdown]
r"""
A network of whole numbers can still learn, in what is left of float32: biases, norms, layers behind it. But gradients must pass through it. Rounding is a staircase; its derivative is 0 wherever it has one. Taken at its word, nothing before a rounding would ever learn. The **straight-through** estimator
(Bengio, Léonard and Courville, 2013) takes the staircase for the line it follows: derivative 1 inside the grid. And beyond its ends, where an input saturates and a small change of it changes nothing?
"""


# %% nbgrader={"grade": false, "grade_id": "straight-through", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def inside_grid(x: np.ndarray, grid: tuple[Any, Any, int]) -> np.ndarray:
    """Where x is rounded to a number of the grid, and not saturated; booleans of x's shape."""
    ### BEGIN SOLUTION
    scale, zero_point, bits = grid
    top = 2 ** (bits - 1) - 1
    whole = np.rint(x / scale) + zero_point
    return (-top - 1 <= whole) & (whole <= top)
    ### END SOLUTION


def int8_linear_gradient(
    g: np.ndarray, inside: np.ndarray, values: np.ndarray, weight_scale: np.ndarray
) -> np.ndarray:
    """Gradient of int8_linear for its inputs, straight through their rounding.

    Args:
        g: gradient of the result, float32, shape (N, O).
        inside: where the inputs lay inside their grid, shape (N, K).
        values, weight_scale: as in int8_linear, shapes (O, K) and (O, 1).

    Returns:
        float32 array, shape (N, K).

    TODO: inside_grid above, and the gradient, without widening the whole weight.
    APPROACH: 1. there: round as on_grid does; is that a number of the grid?  2. here: of float32
        numbers it would be g @ W; put each row's scale into g  3. int8_matmul with the weight
        turned  4. zeros where the inputs saturated
    EXAMPLE:
        >>> inside_grid(np.float32([-65, 0, 63.7]), (np.float32(0.5), 0, 8))
        array([False,  True,  True])

    HINT: (g * s.T) @ Q is the transpose of Q.T @ (g * s.T).T.
    """
    ### BEGIN SOLUTION
    rows = g * weight_scale.T  # (N, O)
    dx = int8_matmul(values.T, rows.T).T  # (K, O) @ (O, N), turned -> (N, K)
    return dx * inside
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-straight-through", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_straight_through():
    """The ends of a grid, and g @ W where nothing saturated."""
    grid = (np.float32(0.5), np.int16(-28), 8)
    x = np.float32([[-51, -50, 0], [77.5, 78, 1]])
    check_equal(lambda: inside_grid(x, grid).tolist(), [[False, True, True], [True, False, True]])
    values, scale = np.int8([[1, 2, 3], [-10, 0, 10]]), np.float32([[1], [0.1]])
    g = np.float32([[1, 1], [0, 10]])
    inside = np.bool_([[True, True, False], [True, True, True]])
    check_close(lambda: int8_linear_gradient(g, inside, values, scale), [[0, 2, 0], [-10, 0, 10]])
    ### BEGIN HIDDEN TESTS
    half = np.float32(0.5), 0, 8
    check_equal(lambda: inside_grid(x, (np.float32(10), 0, 4)).tolist(),
                [[True] * 3, [False, False, True]])  # fmt: skip
    near = np.float32([-64.2, -64.3, 63.7, 63.8])  # what rounds to the last whole number is inside
    check_equal(lambda: inside_grid(near, half).tolist(), [True, False, True, False])
    rng = np.random.default_rng(5)
    g, inside = rng.normal(size=(4, 9)).astype(np.float32), rng.random((4, 7)) < 0.7
    values = rng.integers(-127, 128, size=(9, 7)).astype(np.int8)
    scale = rng.uniform(0.01, 0.02, size=(9, 1)).astype(np.float32)
    expected = (g.astype(np.float64) @ (values * scale)) * inside
    check_close(lambda: int8_linear_gradient(g, inside, values, scale), expected, atol=1e-4)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_straight_through()

# %% [markdown]
r"""
`QuantizedLayer`, folded, is what the two layers with rounded inputs share: the weight, the bias, the calibrated range, and the notes that they take during calibration. `Int8Product` hands your two functions to the engine of module 05. The layer itself is yours.
"""


# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-quantized-layer", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
NOTED = 1 << 16  # numbers that are noted of a batch, besides its two ends


class Note(NamedTuple):
    """What a layer notes of a batch: some of its numbers, their least and largest, how many."""

    sample: np.ndarray
    ends: np.ndarray
    size: int


def sampled(numbers: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """One number at random from each of `count` equal stretches of an array, or all if it has less.

    An even step instead would meet the same few features again and again.
    """
    flat = numbers.reshape(-1)
    if flat.size <= count:
        return flat.copy()
    ends = np.arange(count + 1) * flat.size // count
    return flat[np.random.default_rng(seed).integers(ends[:-1], ends[1:])]


def seen_in(notes: list[Note], percentile: float) -> list[np.ndarray]:
    """The numbers to find a range in: all ends for 100, else as large a share of every batch."""
    if percentile == 100:
        return [note.ends for note in notes]
    share = min(note.sample.size / note.size for note in notes)
    return [sampled(note.sample, max(1, round(share * note.size))) for note in notes]


def check_layer(name: str, layer: Any, kind: type) -> None:
    """Refuse, with a TypeError, what a quantized layer called `name` cannot be made from."""
    if not isinstance(layer, kind):
        raise TypeError(f"{name} takes a {kind.__name__} that is there, not a "
                        f"{type(layer).__name__}: write {name}(layer).")


class QuantizedLayer(Module):
    """A layer with an int8 weight whose inputs are rounded, too.

    weight:      Int8Weight.
    bias:        the Parameter of the layer that it replaces, or None.
    input_range: buffer, (low, high) from calibration; both 0: each batch gets its own grid.

    Args:
        layer: the layer of float32 numbers; it is not changed.
        bits: of weight and inputs, 2 to 8.
        weight: an Int8Weight to share, or None for the layer's own, rounded.
    """

    def __init__(self, layer: Module, bits: int = 8, weight: Int8Weight | None = None) -> None:
        self.bits = bits
        self.weight = Int8Weight(layer.weight, bits) if weight is None else weight
        self.bias = layer.bias
        if "bias_mask" in layer._buffers:  # module 17: one array, the parameter's and the buffer
            self.register_buffer("bias_mask", layer.bias_mask)
            self.bias_mask = layer.bias_mask
        self.register_buffer("input_range", np.zeros(2, np.float32))
        self.noted: list[Note] | None = None  # a list during calibration
        self.training = layer.training

    def grid(self, x: Any) -> tuple[Any, Any, int]:
        """The grid for a batch; during calibration the batch is noted."""
        x = np.asarray(raw(x), dtype=np.float32)
        if self.noted is not None and x.size:
            sample = sampled(x, NOTED, seed=len(self.noted))
            self.noted.append(Note(sample, np.array([x.min(), x.max()]), x.size))
        return input_grid(x, self.input_range, self.bits)

    def extra_repr(self) -> str:
        low, high = self.input_range
        inputs = f"inputs {low:.3g} to {high:.3g}" if high > low else "dynamic inputs"
        return f"int8 {self.weight.extra_repr()}, {inputs}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.extra_repr()})"


class Int8Product(Function):
    """int8_linear with a bias, and its gradients."""

    @staticmethod
    def forward(ctx: Context, x: np.ndarray, weight: Int8Weight, bias: Any, grid: tuple
                ) -> np.ndarray:
        rows = x.reshape(prod(x.shape[:-1]), x.shape[-1])  # (N, K)
        ctx.weight, ctx.shape = weight, x.shape
        ctx.inside = inside_grid(rows, grid) if ctx.needs_input_grad[0] else None
        y = int8_linear(rows, grid, weight.values, weight.scale)  # (N, O)
        if bias is not None:
            np.add(y, bias, out=y)
        return y.reshape(*x.shape[:-1], y.shape[1])

    @staticmethod
    def backward(ctx: Context, g: np.ndarray) -> tuple:
        """See int8_linear_gradient; the bias gets the sum over the rows."""
        rows = g.reshape(prod(ctx.shape[:-1]), g.shape[-1])
        dx = None
        if ctx.needs_input_grad[0]:
            numbers = ctx.weight.values, ctx.weight.scale
            dx = int8_linear_gradient(rows, ctx.inside, *numbers).reshape(ctx.shape)
        dbias = rows.sum(axis=0) if ctx.needs_input_grad[2] else None
        return dx, None, dbias, None


# %% nbgrader={"grade": false, "grade_id": "quantized-linear", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class QuantizedLinear(QuantizedLayer):
    """A Linear layer of int8 numbers.

    Args:
        layer: the Linear; bits, weight: see QuantizedLayer.

    TODO: `forward`.
    APPROACH: 1. refuse inputs that do not end in in_features, with a ShapeError that names both
        2. the grid for them  3. Int8Product.apply(x, weight, bias, grid)
    EXAMPLE:
        >>> QuantizedLinear(Linear(3, 2))(Tensor([[1, 2, 3]])).shape
        (1, 2)

    HINT: self.grid(x) takes the range that calibration found, or measures one.
    """

    def __init__(self, layer: Linear, bits: int = 8, weight: Int8Weight | None = None) -> None:
        check_layer("QuantizedLinear", layer, Linear)
        super().__init__(layer, bits, weight)
        self.out_features, self.in_features = self.weight.shape

    def forward(self, x: Tensor) -> Tensor:
        """Weighted sums of x's last axis: (..., K) -> (..., O)."""
        ### BEGIN SOLUTION
        if not x.shape or x.shape[-1] != self.in_features:
            raise ShapeError(f"QuantizedLinear: x of shape {x.shape} does not end in "
                             f"{self.in_features}.")
        return Int8Product.apply(x, self.weight, self.bias, self.grid(x))
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-quantized-linear", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_quantized_linear():
    """Near the layer that it replaces, with one byte for a weight, and gradients for the rest."""
    manual_seed(0)
    layer = Linear(64, 32)
    small = QuantizedLinear(layer)
    x = Tensor(np.random.default_rng(6).normal(size=(3, 5, 64)), requires_grad=True)
    check_close(lambda: small(x).data, layer(x).data, rtol=0, atol=0.02)
    check_equal(lambda: (small.weight.values.dtype.name, small(x).shape), ("int8", (3, 5, 32)))
    check_equal(lambda: [path for path, _ in small.named_parameters()], ["bias"])
    small(x).sum().backward()
    check_close(lambda: small.bias.grad, np.full(32, 15.0))
    check_raises(ShapeError, lambda: small(Tensor([[1, 2]])), mentions=["64", "(1, 2)"])
    ### BEGIN HIDDEN TESTS
    rounded = small.weight.values * small.weight.scale
    slopes = np.broadcast_to(rounded.sum(axis=0), (3, 5, 64))
    check_close(lambda: x.grad, slopes, atol=1e-4)
    small.input_range[...] = 0, 1
    ones = Tensor(np.full((1, 64), 1.0)).data
    check_close(lambda: small(Tensor(9 * ones)).data, small(Tensor(ones)).data)
    bare = QuantizedLinear(Linear(8, 4, bias=False))
    check_close(lambda: bare(Tensor(np.zeros((2, 8)))).data, np.zeros((2, 4)))
    check_raises(ShapeError, lambda: bare(Tensor(np.zeros((2, 9)))), mentions=["8", "(2, 9)"])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_quantized_linear()

# %% [markdown]
r"""
A convolution is the same product: kernels (O, Ckk) times columns (Ckk, windows), module 09. Its `Columns` make the columns block by block, and now the kernels are widened block by block as well. A padding of zeros needs no care, because the zero point has been subtracted before: 0.0 is the whole number 0.

An embedding does not multiply at all. It fetches rows, and only the rows that were asked for become float32.
"""


# %% nbgrader={"grade": false, "grade_id": "int8-conv", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def int8_conv(
    whole: np.ndarray, values: np.ndarray, window: Window, groups: int = 1
) -> np.ndarray:
    """Convolve whole numbers.

    Args:
        whole: images, whole numbers in float32, shape (C, N, H, W).
        values: kernels, int8, shape (O, C/groups, kh, kw).
        window: how the window walks.
        groups: how many groups of channels there are.

    Returns:
        float32 array, shape (O, N, Ho, Wo).

    TODO: as forward_in_blocks of module 09, with int8_matmul for the product.
    APPROACH: 1. columns = Columns(whole.shape, window, groups); it knows the result's Ho and Wo
        2. for each part of columns.blocks: cols = columns.fill(whole[:, part])
        3. by_group(values, groups)[i] times cols[i] for each group, stacked
        4. columns.crop(product) into y[:, part]
    EXAMPLE:
        >>> image, kernel = np.ones((1, 1, 3, 3), np.float32), np.int8([[[[100, 100]]]])
        >>> int8_conv(image, kernel, Window.of((1, 2)))[0, 0].tolist()
        [[200.0, 200.0], [200.0, 200.0], [200.0, 200.0]]

    HINT: product has shape (groups, O/groups, L): np.stack of one product for each group.
    """
    ### BEGIN SOLUTION
    columns, kernels = Columns(whole.shape, window, groups), by_group(values, groups)
    y = np.empty((len(values), whole.shape[1], columns.Ho, columns.Wo), np.float32)
    for section in columns.blocks:
        cols = columns.fill(whole[:, section])  # (groups, Ckk, L)
        product = np.stack([int8_matmul(*pair) for pair in zip(kernels, cols, strict=True)])
        y[:, section] = columns.crop(product)  # (O, n, Ho, Wo)
    return y
    ### END SOLUTION


def int8_rows(ids: np.ndarray, values: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The rows of an int8 table, in float32.

    Args:
        ids: whole numbers of any shape (...).
        values: int8, shape (V, C).
        scale: float32, shape (V, 1).

    Returns:
        float32 array, shape (..., C).
    """
    ### BEGIN SOLUTION
    return dequantize_int8(values[ids], scale[ids])  # (..., C) times (..., 1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-int8-conv", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_int8_conv():
    """Sums over windows, padding, groups, rows of a table. Hidden: images for several blocks."""
    rng = np.random.default_rng(7)
    x = rng.integers(-9, 10, size=(4, 2, 6, 5)).astype(np.float32)
    values = rng.integers(-128, 128, size=(6, 4, 3, 3)).astype(np.int8)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    view = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    expected = np.einsum("cnhwij,ocij->onhw", view, values.astype(np.float64))
    check_close(lambda: int8_conv(x, values, Window.of(3, padding=1)), expected)
    pair, kernels = x[:2], np.int8([2, -3]).reshape(2, 1, 1, 1)
    check_close(lambda: int8_conv(pair, kernels, Window.of(1), groups=2), pair * kernels)
    table, scale = np.int8([[1, -100], [7, 127]]), np.float32([[0.5], [2]])
    check_close(lambda: int8_rows(np.array([[1, 0]]), table, scale), [[[14, 254], [0.5, -50]]])
    ### BEGIN HIDDEN TESTS
    check_close(lambda: int8_conv(x, values, Window.of(3, padding=1, stride=2)),
                expected[:, :, ::2, ::2])  # fmt: skip
    thin = values[:, :2].astype(np.float64)
    halves = [np.einsum("cnhwij,ocij->onhw", view[:2], thin[:3]),
              np.einsum("cnhwij,ocij->onhw", view[2:], thin[3:])]  # fmt: skip
    check_close(lambda: int8_conv(x, values[:, :2], Window.of(3, padding=1), 2),
                np.concatenate(halves))  # fmt: skip
    many = rng.integers(-3, 4, size=(4, 60, 28, 28)).astype(np.float32)
    some = np.lib.stride_tricks.sliding_window_view(many, (3, 3), axis=(2, 3))
    wanted = np.einsum("cnhwij,ocij->onhw", some, values.astype(np.float64), optimize=True)
    check_close(lambda: int8_conv(many, values, Window.of(3)), wanted)
    check_equal(lambda: int8_rows(np.array(1), table, scale).tolist(), [14.0, 254.0])
    check_equal(lambda: int8_rows(np.array([0]), table, scale).dtype.name, "float32")
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_int8_conv()

# %% [markdown]
r"""
The folded cell makes layers of them: `QuantizedConv2d`, with its gradient, and `QuantizedEmbedding`; and it tells the `Profiler` of module 14 what they compute.
"""


# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-quantized-layers", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Int8Convolution(Function):
    """int8_conv of rounded images, scaled back, with a bias; and its gradients."""

    @staticmethod
    def forward(ctx: Context, x: np.ndarray, weight: Int8Weight, bias: Any, grid: tuple,
                window: Window, groups: int) -> np.ndarray:
        x = x.swapaxes(0, 1)  # (C, N, H, W)
        scale, zero, bits = grid
        ctx.weight, ctx.window, ctx.groups, ctx.shape = weight, window, groups, x.shape
        ctx.inside = inside_grid(x, grid) if ctx.needs_input_grad[0] else None
        steps = on_grid(x, scale, zero, bits) - zero  # from 0.0
        y = int8_conv(steps, weight.values, window, groups)  # (O, N, Ho, Wo)
        y *= (scale * weight.scale).reshape(-1, 1, 1, 1)
        if bias is not None:
            y += bias.reshape(-1, 1, 1, 1)
        return y.swapaxes(0, 1)

    @staticmethod
    def backward(ctx: Context, g: np.ndarray) -> tuple:
        """dX = col2im(K^T G) where the images lay inside the grid; the bias gets the sums of g."""
        needs_x, _, needs_bias, *_ = ctx.needs_input_grad
        g, dx = g.swapaxes(0, 1), None  # (O, N, Ho, Wo)
        if needs_x:
            kernels = by_group(ctx.weight.values, ctx.groups)
            scaled = g * ctx.weight.scale.reshape(-1, 1, 1, 1)
            columns = Columns(ctx.shape, ctx.window, ctx.groups)
            dx = np.empty(ctx.shape, np.float32)
            for part in columns.blocks:
                wide = columns.spread(scaled[:, part])  # (groups, O/groups, L)
                pairs = zip(kernels, wide, strict=True)
                dx[:, part] = columns.fold(np.stack([int8_matmul(k.T, w) for k, w in pairs]))
            dx = (dx * ctx.inside).swapaxes(0, 1)
        dbias = g.reshape(len(g), -1).sum(axis=1) if needs_bias else None
        return dx, None, dbias, None, None, None


class QuantizedConv2d(QuantizedLayer):
    """A Conv2d of int8 numbers, with a scale for each kernel.

    Args:
        layer: the Conv2d; bits, weight: see QuantizedLayer.

    Example:
        >>> QuantizedConv2d(Conv2d(3, 8, 3, padding=1))(Tensor(np.zeros((2, 3, 9, 9)))).shape
        (2, 8, 9, 9)
    """

    def __init__(self, layer: Conv2d, bits: int = 8, weight: Int8Weight | None = None) -> None:
        check_layer("QuantizedConv2d", layer, Conv2d)
        super().__init__(layer, bits, weight)
        self.in_channels, self.out_channels = layer.in_channels, layer.out_channels
        self.kernel_size, self.stride = layer.kernel_size, layer.stride
        self.padding, self.dilation, self.groups = layer.padding, layer.dilation, layer.groups

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, O, Ho, Wo)."""
        check_images("QuantizedConv2d", x.shape, self.in_channels)
        window = Window(self.kernel_size, self.stride, self.padding, self.dilation)
        window.output(*x.shape[2:])  # raises when the window does not fit
        grid = self.grid(x)
        return Int8Convolution.apply(x, self.weight, self.bias, grid, window, self.groups)


class QuantizedEmbedding(Module):
    """An Embedding of int8 numbers, with a scale for each row; it gets no gradient.

    Args:
        layer: the Embedding; bits, weight: see QuantizedLayer.

    Example:
        >>> QuantizedEmbedding(Embedding(10, 4))([[1, 2, 0]]).shape
        (1, 3, 4)
    """

    def __init__(self, layer: Embedding, bits: int = 8, weight: Int8Weight | None = None) -> None:
        check_layer("QuantizedEmbedding", layer, Embedding)
        self.num_embeddings, self.embedding_dim = layer.num_embeddings, layer.embedding_dim
        self.padding_idx = layer.padding_idx
        self.weight = Int8Weight(layer.weight, bits) if weight is None else weight
        self.training = layer.training

    def forward(self, ids: Any) -> Tensor:
        """Whole numbers (...) -> (..., C); check_ids says what it refuses."""
        ids = check_ids(ids, self.num_embeddings)
        return Tensor(int8_rows(ids, self.weight.values, self.weight.scale))


@flops_of(QuantizedLinear)
def quantized_linear_flops(layer: QuantizedLinear, out: Tensor, x: Tensor) -> int:
    """Those of a Linear, and four for each input: divide, round, shift, saturate."""
    return linear_flops(layer, out, x) + 4 * x.numel()


@flops_of(QuantizedConv2d)
def quantized_conv2d_flops(layer: QuantizedConv2d, out: Tensor, x: Tensor) -> int:
    """Those of a Conv2d, and four for each pixel."""
    return conv2d_flops(layer, out, x) + 4 * x.numel()


@flops_of(QuantizedEmbedding)
def quantized_embedding_flops(layer: QuantizedEmbedding, out: Tensor, ids: Any) -> int:
    """A subtraction and a product for each number that is fetched."""
    return 2 * out.numel()


# %% [markdown]
r"""
## A whole model, in place

Layers stand in attributes, and in lists, tuples and dicts of attributes, at any depth. `quantize_model` makes a twin of each, and a dictionary that tells for the `id` of an old object the new one. What is left is to go through everything and put each twin into its place. Why by `id` and not by name? Think of two attributes that hold one
and the same layer.
"""


# %% nbgrader={"grade": false, "grade_id": "exchanged", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def exchanged(value: Any, twins: dict[int, Any]) -> Any:
    """Return value, or its twin; in lists, tuples and dicts, each item's.

    Args:
        value: what an attribute holds: anything.
        twins: id of an old object -> the new one.

    Returns:
        The twin of value if it has one; else value, the same list or dict with its items exchanged,
        or a tuple of the items' twins.

    TODO: the cases, each item by the same function.
    APPROACH: 1. a twin  2. a list or dict: write into it, for others may hold it, too  3. a tuple
        4. anything else as it is
    EXAMPLE:
        >>> old, new = object(), "new"
        >>> exchanged([1, (old, {"key": old})], {id(old): new})
        [1, ('new', {'key': 'new'})]

    HINT: `value[:] = ...` fills a list that is there, value.update(...) a dict.
    """
    ### BEGIN SOLUTION
    if id(value) in twins:
        return twins[id(value)]
    if isinstance(value, list):
        value[:] = [exchanged(item, twins) for item in value]
    elif isinstance(value, dict):
        value.update({key: exchanged(item, twins) for key, item in value.items()})
    elif isinstance(value, tuple):
        return tuple(exchanged(item, twins) for item in value)
    return value
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-exchanged", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_exchanged():
    """Alone, in containers, twice; and what has no twin stays."""
    old, other = Linear(1, 1), [8.5]
    twins = {id(old): "new"}
    check_equal(lambda: exchanged(old, twins), "new")
    check_equal(lambda: exchanged((old, 3, {"a": old}), twins), ("new", 3, {"a": "new"}))
    layers = [other, [old, old], None]
    check_equal(lambda: [exchanged(layers, twins), layers][1], [[8.5], ["new", "new"], None])
    ### BEGIN HIDDEN TESTS
    deep = {"x": {"y": (old, [old])}, "z": 1.5}
    check_equal(lambda: [exchanged(deep, twins), deep][1], {"x": {"y": ("new", ["new"])}, "z": 1.5})
    check_equal(lambda: exchanged("text", twins), "text")
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_exchanged()

# %% [markdown]
r"""
`quantize_model`, folded, uses it. First every twin is made, so that a weight with a nan is refused before anything has changed. Then it exchanges, and calibrates if there are data; if that fails, everything goes back to where it was, and if not, it warns, for **the float32 weights are lost**. Whoever wants to keep the model writes `copy.deepcopy(model)` first.
"""


# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-quantize-model", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
TWINS = {Linear: QuantizedLinear, Conv2d: QuantizedConv2d, Embedding: QuantizedEmbedding}
IN_PLACE = ("quantize_model changes the model in place: its float32 weights are lost. To keep "
            "them, copy.deepcopy(model) before. Parameters have gone: make a new optimizer.")


def quantize_model(model: Module, calibration_data: Any = None, bits: int = 8,
                   percentile: float = 100.0) -> Module:
    """Store the weights of a model as int8, in place, and round the inputs of its layers.

    Linear, Conv2d and Embedding get their quantized twins, MultiHeadAttention an int8
    in_proj_weight; everything else (biases, norms, tables of positions, subclasses of these layers)
    stays float32 and can be trained. A layer or a weight that is used twice stays shared.

    Args:
        model: what to change.
        calibration_data: typical inputs, in batches: arrays, Tensors, or tuples and lists that
            begin with one, as a DataLoader gives them; one array is one batch. They run through the
            model in evaluation mode. None: every batch gets grids of its own, so that a GPT may
            write other ids with a cache, which reads fewer rows at once, than without.
        bits: of each number, 2 to 8.
        percentile: see calibrated_range.

    Returns:
        The model itself.

    Raises:
        ValueError: it is quantized already; nothing in it can be; a weight or an input is nan or
            infinite; no calibration data. The model is as it was then.
        TypeError: it is no Module, or itself a layer.

    Warns:
        UserWarning: when the weights are lost, see IN_PLACE.

    Example:
        >>> net = Module()
        >>> net.layer = Linear(3, 2)
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")
        ...     type(quantize_model(net).layer).__name__
        'QuantizedLinear'
    """
    check_bits(bits)
    check_percentile(percentile)
    pairs = make_twins(model, bits)
    old = {id(layer) for layer, _ in pairs}
    holders = [part for _, part in model.named_modules() if id(part) not in old]
    exchange(holders, {id(layer): twin for layer, twin in pairs})
    try:
        if calibration_data is not None:
            calibrate(model, calibration_data, percentile)
        warnings.warn(IN_PLACE, stacklevel=2)  # may be an error: then nothing is lost, either
    except BaseException:
        exchange(holders, {id(twin): layer for layer, twin in pairs})
        raise
    drop_masks(holders)
    return model


def check_percentile(percentile: Any) -> None:
    """Refuse what leaves no range: a percentile lies above 50 and goes up to 100."""
    real = isinstance(percentile, int | float | np.integer | np.floating)
    if not real or not 50 < percentile <= 100:
        raise ValueError(f"percentile is a number above 50, at most 100, not {percentile!r}.")


def drop_masks(holders: list[Module]) -> None:
    """Take the masks of pruned weights away that are whole numbers now: nothing moves those."""
    for holder in holders:
        for name, value in list(members(holder)):
            mask = f"{name}_mask"
            if isinstance(value, Int8Weight) and mask in holder._buffers:
                holder._buffers = tuple(other for other in holder._buffers if other != mask)
                delattr(holder, mask)


def make_twins(model: Module, bits: int) -> list[tuple[Any, Any]]:
    """Pairs of what is to be replaced, layers and weights, and what replaces it."""
    if not isinstance(model, Module):
        raise TypeError(f"quantize_model takes a Module, not a {type(model).__name__}.")
    if type(model) in TWINS:
        twin = TWINS[type(model)].__name__
        raise TypeError(f"a {type(model).__name__} cannot be replaced in itself: write "
                        f"layer = {twin}(layer).")
    weights: dict[int, tuple[Parameter, Int8Weight]] = {}
    layers = []
    for path, part in model.named_modules():
        if isinstance(part, Int8Weight):
            raise ValueError("the model is quantized already. " + GONE)
        name = "in_proj_weight" if isinstance(part, MultiHeadAttention) else "weight"
        if type(part) not in TWINS and name == "weight":
            continue
        weight = getattr(part, name)
        if id(weight) not in weights:
            weights[id(weight)] = (weight, named_weight(path, weight, bits))
        if type(part) in TWINS:
            layers.append((part, TWINS[type(part)](part, bits, weights[id(weight)][1])))
    if not weights:
        raise ValueError(f"{type(model).__name__} has no Linear, Conv2d, Embedding or "
                         "MultiHeadAttention: there is nothing to quantize.")
    return [*layers, *weights.values()]


def named_weight(path: str, weight: Parameter, bits: int) -> Int8Weight:
    """Int8Weight(weight, bits), with the layer's path in front of its complaint."""
    try:
        return Int8Weight(weight, bits)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def exchange(holders: list[Module], twins: dict[int, Any]) -> None:
    """Put every twin in its place, in each attribute of each holder."""
    for holder in holders:
        for name, value in list(vars(holder).items()):
            if any(id(item) in twins for _, item in opened(name, value)):
                vars(holder)[name] = exchanged(value, twins)


def calibrate(model: Module, data: Any, percentile: float = 100.0) -> None:
    """Fix the input ranges of a quantized model's layers; one that no data reach stays dynamic.

    Raises:
        ValueError: no data, no layer whose inputs are rounded, or nan or infinity among the inputs.
    """
    modules = [part for _, part in model.named_modules()]
    modes = [part.training for part in modules]
    layers = [part for part in modules if isinstance(part, QuantizedLayer)]
    for layer in layers:
        layer.noted = []
    try:
        model.eval()
        with no_grad():
            for batch in [data] if isinstance(data, np.ndarray | Tensor) else data:
                model(as_input(inputs_of(batch)))
        notes = [layer.noted for layer in layers]
    finally:
        for part, mode in zip(modules, modes, strict=True):
            part.training = mode
        for layer in layers:
            layer.noted = None
    if layers and not any(notes):
        raise ValueError("there are no calibration data: pass a few typical batches, or None.")
    for layer, noted in zip(layers, notes, strict=True):
        if noted:
            layer.input_range[...] = calibrated_range(seen_in(noted, percentile), percentile)


def inputs_of(batch: Any) -> Any:
    """The first part of a batch of several, such as (images, labels); else the batch itself."""
    several = isinstance(batch, list) and batch and isinstance(batch[0], np.ndarray | Tensor)
    return batch[0] if several or isinstance(batch, tuple) else batch


def unquantize_model(model: Module) -> None:
    """Refuse: there is no way back.

    Raises:
        RuntimeError: always; it says what to do instead.
    """
    raise RuntimeError(f"{type(model).__name__}: {GONE}")


# %% nbgrader={"grade": false, "grade_id": "compare-model-sizes", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def compare_model_sizes(original: Module, quantized: Module) -> dict[str, float]:
    """Compare the bytes of two models, of all parameters and buffers.

    Returns:
        original_bytes, quantized_bytes, saved_bytes, and ratio: quantized over original.

    Raises:
        ValueError: the original keeps no numbers.

    TODO: add up and compare.
    APPROACH: 1. state_arrays(model) has every array by its path, a shared one once
        2. each knows its size in bytes
    EXAMPLE:
        >>> compare_model_sizes(Linear(100, 10), QuantizedLinear(Linear(100, 10)))["original_bytes"]
        4040

    HINT: `array.nbytes`.
    """
    if not state_arrays(original):
        raise ValueError(f"{type(original).__name__} keeps no numbers: there is nothing to compare "
                         "with.")
    ### BEGIN SOLUTION
    before, after = (
        sum(array.nbytes for array in state_arrays(model).values())
        for model in (original, quantized)
    )
    return {
        "original_bytes": before, "quantized_bytes": after, "saved_bytes": before - after,
        "ratio": after / before,
    }  # fmt: skip
    ### END SOLUTION


# %% nbgrader={"grade": false, "grade_id": "given-quietly", "locked": true, "schema_version": 3, "solution": false, "task": false}
def quantized(model, calibration_data=None, **options):
    """A quantized copy of a model, which stays as it is: so there is nothing to warn of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return quantize_model(copy.deepcopy(model), calibration_data, **options)


def output_error(model, small, x):
    """Mean absolute difference of the outputs, relative to the mean absolute output."""
    with no_grad():
        wanted, got = model(x).data, small(x).data
    return float(np.abs(got - wanted).mean() / np.abs(wanted).mean())


class TwoWays(Module):
    """Layers in a list and in a dict, one of them twice."""

    def __init__(self):
        self.steps = [Linear(6, 6), Linear(6, 6)]
        self.ends = {"out": Linear(6, 3), "again": self.steps[0]}

    def forward(self, x):
        return self.ends["out"](self.ends["again"](relu(self.steps[1](self.steps[0](x)))))


# %% nbgrader={"grade": true, "grade_id": "test-compare-model-sizes", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_compare_model_sizes():
    """Bytes counted by hand: weights, scales, biases, and two numbers of range for each layer."""
    layer, x = Linear(100, 10), np.ones((1, 100))
    small = QuantizedLinear(layer)
    sizes = {"original_bytes": 4040, "quantized_bytes": 1000 + 40 + 40 + 8, "saved_bytes": 2952}
    for name, size in sizes.items():
        check_equal(lambda name=name: compare_model_sizes(layer, small)[name], size)
    check_close(lambda: compare_model_sizes(layer, small)["ratio"], 1088 / 4040)
    ### BEGIN HIDDEN TESTS
    small(Tensor(x))
    check_equal(lambda: compare_model_sizes(layer, small)["quantized_bytes"], 1088)
    two = TwoWays()
    check_equal(lambda: compare_model_sizes(two, two)["original_bytes"], 4 * (2 * 42 + 21))
    check_equal(lambda: compare_model_sizes(two, two)["saved_bytes"], 0)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_compare_model_sizes()


# %% nbgrader={"grade": true, "grade_id": "test-quantize-model", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_quantize_model():
    """Every layer has its twin, one layer in two places stays one, and a GPT's tied head works."""
    manual_seed(1)
    model, x = TwoWays(), Tensor(np.random.default_rng(8).normal(size=(9, 6)))
    small = quantized(model)
    for layer in (*small.steps, *small.ends.values()):
        check_equal(lambda layer=layer: type(layer).__name__, "QuantizedLinear")
    check_close(lambda: small(x).data, model(x).data, rtol=0, atol=0.03)
    check_equal(lambda: len(small.state_dict()), 3 * 4)
    gpt = GPT(11, context=5, d_model=32, num_layers=1, num_heads=2, seed=0)
    ids = np.array([[3, 1, 4], [1, 5, 9]])
    check_close(lambda: quantized(gpt)(ids).data, gpt(ids).data, rtol=0, atol=0.01)
    check_raises(ValueError, lambda: quantized(small), mentions=["already"])
    ### BEGIN HIDDEN TESTS
    check_equal(lambda: type(model.steps[0]).__name__, "Linear")
    check_close(lambda: quantized(model, x.data)(x).data, model(x).data, rtol=0, atol=0.03)
    check_raises(ValueError, lambda: quantized(model, []), mentions=["calibration"])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_quantize_model()

# %% [markdown]
r"""
## The whole module

The digits again, read by a network of whole numbers. How many of the 397 new digits will it get wrong that the original gets right? And with calibration, what will the relative error of the ten outputs be: 10 %, 1 %, 0.1 %?
"""


# %% nbgrader={"grade": true, "grade_id": "test-module-quantization", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_module():
    """A trained network in bytes: errors below 1 %, at most a point lost; and it still learns."""
    manual_seed(0)
    model = train_digits(DigitsNet(), epochs=3)
    small = quantized(model, PIXELS[SEEN])
    new = Tensor(PIXELS[NEW])
    check_equal(lambda: output_error(model, small, new) < 0.01, True)
    check_equal(lambda: right_on_new(small) > right_on_new(model) - 0.01, True)
    check_equal(lambda: compare_model_sizes(model, small)["ratio"] < 0.3, True)
    print(f"right on new digits: {right_on_new(model):.1%}, as int8 {right_on_new(small):.1%};")
    error, sizes = output_error(model, small, new), compare_model_sizes(model, small)
    print(f"mean error of the outputs {error:.2%}, bytes {sizes['ratio']:.1%}")
    ### BEGIN HIDDEN TESTS
    coarse = quantized(model, PIXELS[SEEN], bits=2)
    before = right_on_new(coarse)
    train_digits(coarse, epochs=1)
    check_equal(lambda: right_on_new(coarse) > before, True)
    check_equal(lambda: coarse.first.weight.values.dtype.name, "int8")
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_module()

# %% [markdown]
r"""
## Measure: how few bits, and who needs calibration?

Eight bits were easy. With fewer the numbers still lie in a byte each, but tell what a chip with smaller numbers would lose. At how many bits will the digits be misread? Then the biases learn on for three epochs, with every weight frozen: how much comes back?
"""


# %%
def analyze_bits():
    """Digits read right by bits: inputs dynamic, calibrated, and with biases trained on."""
    manual_seed(0)
    model = train_digits(DigitsNet(), epochs=10)
    bits, right = [2, 3, 4, 5, 6, 8], {"dynamic": [], "calibrated": [], "and fine-tuned": []}
    for n in bits:
        right["dynamic"].append(right_on_new(quantized(model, bits=n)))
        small = quantized(model, PIXELS[SEEN], bits=n)
        right["calibrated"].append(right_on_new(small))
        right["and fine-tuned"].append(right_on_new(train_digits(small, epochs=3)))
    fig, axes = plt.subplots(figsize=(5, 3))
    for (name, values), marker in zip(right.items(), "ox^", strict=True):
        axes.plot(bits, values, marker=marker, label=name)
        print(f"{name:15}", ", ".join(f"{n}: {v:.1%}" for n, v in zip(bits, values, strict=True)))
    axes.axhline(right_on_new(model), color="grey", linestyle="--", label="float32")
    axes.set(xlabel="bits", ylabel="right on new digits")
    axes.legend(fontsize=7)
    show(fig, alt="Share of digits read right, by bits: dynamic, calibrated, fine-tuned, float32")


if __name__ == "__main__":
    analyze_bits()


# %%
def analyze_ranges():
    """Error of a layer behind a ReLU, by the way its input grid is found; and with a freak."""
    manual_seed(2)
    rng, layer = np.random.default_rng(9), Linear(256, 64)
    clean = np.maximum(rng.normal(size=(400, 256)), 0).astype(np.float32)
    freak = clean.copy()
    freak[0, 0] = 60.0
    for name, seen in (("clean", clean), ("with one freak of 60", freak)):
        said = []
        for way, percentile in (("dynamic", None), ("min-max", 100.0), ("99.9 %", 99.9)):
            small = QuantizedLinear(layer)
            if percentile:
                small.input_range[...] = calibrated_range([seen[:200]], percentile)
            batch = Tensor(seen[200:] if percentile else np.concatenate([seen[:1], seen[200:]]))
            said.append(f"{way} {output_error(layer, small, batch):.2%}")
        print(f"{name:21}", ", ".join(said))


if __name__ == "__main__":
    analyze_ranges()

# %% [markdown]
r"""
## Measure: is it faster?

A weight of 1,024 x 1,024, one byte a number. The whole numbers must be widened before BLAS can multiply them, a million conversions that float32 does not need. On the other side, only a quarter of the bytes come out of memory. For which batch does that weigh more: 1, 64 or 1,024 rows? Guess the ratio int8 to float32 for each.
"""


# %%
def analyze_speed():
    """Time of a layer of 1024 x 1024 in float32 and int8, by batch; and the peak of memory."""
    keep_freed_memory()
    manual_seed(3)
    layer = Linear(1024, 1024)
    small, rng = QuantizedLinear(layer), np.random.default_rng(10)
    batches, ratios = [1, 8, 64, 256, 1024], []
    with no_grad():
        for rows in batches:
            x = Tensor(rng.normal(size=(rows, 1024)))
            ways = {"float32": lambda x=x: layer(x), "int8": lambda x=x: small(x)}
            times = compare(ways, samples=9)
            ratios.append(times["int8"].low_ms / times["float32"].low_ms)
            print(f"batch {rows:5}: float32 {times['float32'].low_ms:7.3f} ms,", end=" ")
            print(f"int8 {times['int8'].low_ms:7.3f} ms, {ratios[-1]:.2f}")
        extra = peak_bytes(small, Tensor(rng.normal(size=(1, 1024))))
    kept = compare_model_sizes(layer, small)
    print(f"kept {kept['ratio']:.1%} of the bytes;", end=" ")
    print(f"float32 during a call: {extra / 2**20:.2f} MiB, the weight had 4")
    fig, axes = plt.subplots(figsize=(5, 3))
    axes.semilogx(batches, ratios, "o-", base=2)
    axes.axhline(1, color="grey", linestyle="--")
    axes.set(xlabel="rows in the batch", ylabel="time, int8 / float32", ylim=(0, None))
    show(fig, alt="Time of the int8 layer over that of the float32 layer, by batch")


if __name__ == "__main__":
    analyze_speed()

# %% [markdown]
r"""
Where the line stands above 1, NumPy's int8 is not faster, and it cannot be: the arithmetic is the same sgemm, and the conversion comes on top. It is paid once a call, so that it disappears in a large batch and dominates a small one, where float32 has nearly nothing to do. What you gain here is memory: on disk, while it runs, in every copy of the model.

Chips gain time as well, for they multiply bytes: an instruction such as AVX-512 VNNI's `vpdpbusd` does 64 multiply-adds of bytes where one of float32 does 16 (Intel, *Architecture Instruction Set Extensions*, 2018), and what bounds large models at batch 1 is the memory they are read from. Jacob et al., *Quantization and training of neural networks for efficient
integer-arithmetic-only inference* (2018), is the scheme of this page; Dettmers et al., *LLM.int8()* (2022), says why large language models need care: a few inputs a hundred times as large as the others.
"""

# %% [markdown]
r"""
**Question.** A friend quantizes a trained network to 2 bits instead of 8, finds that it misreads many more digits, calls `quantize_model` on it with `bits=8`, and is refused. Suppose it were not refused: what would the new grid of a row look like beside the old one, and what would the accuracy be? What should they have done before?
"""

# %% [markdown] nbgrader={"grade": true, "grade_id": "q-no-way-back", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
r"""
Of each row only 3 different numbers are left. An 8-bit grid over the same range is 127 times finer (127 / 1) and holds those 3 numbers exactly, but nothing tells it what was between them before: the accuracy stays that of 2 bits. Rounding forgets, and no later grid remembers. A deepcopy of the float32 model (or its file) has to be
kept; every smaller model is made from that, and fine-tuned where rounding hurts.
"""

# %% [markdown]
r"""
**To think about.** Your GPT adds every block's answer to one residual stream that stays float32. What would happen to a small answer if the stream were kept on an int8 grid that reaches as far as its largest number?

Every weight is still there, only shorter. Which of them does the network need at all? **Module 17** takes most of them away.
"""
