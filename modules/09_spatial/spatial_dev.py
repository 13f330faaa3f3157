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
# Module 09: Spatial

A linear layer that reads a 1000 x 1000 photograph needs a million weights *per output*, and learns nothing about the pixel next door. Today you
build the layer that looks through a small window instead and slides it everywhere: first as the formula says it, then as one matrix product.

**Needs** `Tensor` (01), activations (02), layers (03), losses (04), autograd (05), and, for its network, optimizers (06), training (07) and loaders (08) | **Exports** `tinytorch.core.spatial` | **About** 6 hours | **Points** 90

The two folded cells below import what this page needs.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| default_exp core.spatial
#| export
from dataclasses import dataclass
from math import prod, sqrt
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from tinytorch.core.autograd import Context, Function
from tinytorch.core.layers import Module, Parameter
from tinytorch.core.tensor import ShapeError, Tensor, generator

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "page-imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
import matplotlib.pyplot as plt  # this page only: plots and measurements are not exported

from tinytorch.core.activations import relu
from tinytorch.core.autograd import gradient_check, no_grad
from tinytorch.core.layers import Linear
from tinytorch.core.losses import cross_entropy
from tinytorch.core.optimizers import AdamW
from tinytorch.core.tensor import keep_freed_memory, manual_seed
from tinytorch.core.training import Trainer, accuracy
from tinytorch.data.loader import DataLoader, Subset, TensorDataset
from tito.lab import bench, check_close, check_equal, check_raises, check_without
from tito.lab import compare, load_digits, peak_bytes, show

# %% [markdown]
r"""
## A window that slides

Look before you read. A handwritten three, and what three little tables of nine weights make of it. Which table answers to what?
"""


# %%
def analyze_three_kernels():
    """A digit, three kernels, and the picture that each makes of it."""
    digit = load_digits()[0][3].reshape(8, 8)
    kernels = {
        "dark above, bright below": np.float32([[-1, -1, -1], [0, 0, 0], [1, 1, 1]]),
        "dark left, bright right": np.float32([[-1, 0, 1]] * 3),
        "mean": np.full((3, 3), 1 / 9, np.float32),
    }
    fig, axes = plt.subplots(2, 4, figsize=(8, 4))
    axes[0, 0].imshow(digit, cmap="gray")
    axes[0, 0].set_title("image, 8 x 8", fontsize=8)
    axes[1, 0].axis("off")
    for (name, kernel), above, below in zip(kernels.items(), axes[0, 1:], axes[1, 1:], strict=True):
        above.imshow(kernel, cmap="gray")
        above.set_title(name, fontsize=8)
        answers = [(kernel * digit[h : h + 3, w : w + 3]).sum() for h, w in np.ndindex(6, 6)]
        below.imshow(np.reshape(answers, (6, 6)), cmap="gray")
        below.set_title("its map, 6 x 6", fontsize=8)
    alt = "A digit, three kernels, and each one's map: upper edges, left edges, a blurred digit"
    show(fig, alt=alt)
    print("brightest answers:", [f"{ax.images[0].get_array().max():.1f}" for ax in axes[1, 1:]])


if __name__ == "__main__":
    analyze_three_kernels()

# %% [markdown]
r"""
A **kernel** is a small table of weights. Lay it on the image, multiply what lies on top of each other, add up: one output. Move it and repeat. The
outputs make a picture of their own, a **feature map**: bright where the image looks like the kernel.

```
image            kernel       output
1  2  3  0       1  0         1*1 + 5*2 = 11    2*1 + 6*2 = 14    ...
4  5  6  0       0  2
7  8  9  0
```

Colour images have $C$ channels, so a kernel is a block of shape (C, k, k), and a layer has $O$ of them:

$$y_{n,o,h,w} = b_o + \sum_{c}\sum_{i}\sum_{j} x_{n,\,c,\,h+i,\,w+j}\; W_{o,c,i,j}$$

Mathematicians call this *cross-correlation* and reserve the word convolution for the same thing with the kernel turned around. Networks learn
their kernels, so nobody turns them. Four numbers vary the walk, each a pair (down, right):

- **stride** $s$: how far the window moves; 2 halves the output. **padding** $p$: rings of zeros around the image, at *both* ends.
- **dilation** $d$: the step between neighbouring pixels of one window, so that $k$ of them reach over $d(k-1)+1$ pixels.
- **groups**: cut the channels into groups that do not see each other.

How many places does a window of reach $r$ have on $m$ pixels, if it moves one at a time? Try 3 on 5. Then let it move $s$ at a time, starting at 0.
"""

# %% nbgrader={"grade": false, "grade_id": "output-size", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def output_size(
    size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1
) -> int:
    """Return in how many places a window fits along one axis.

    Args:
        size: pixels along the axis.
        kernel: weights along the axis.
        stride, padding, dilation: see above; padding counts for each end.

    Raises:
        ShapeError: the window does not fit even once; names its reach and the padded size.

    TODO: count the places.
    APPROACH: 1. the reach of the dilated kernel  2. the padded size
        3. refuse a reach that is too large  4. the first place, plus the moves that are left
    EXAMPLE:
        >>> output_size(32, kernel=5, stride=2, padding=2)
        16

    HINT: a last move that would leave the image is not made: `//`.
    """
    ### BEGIN SOLUTION
    reach = dilation * (kernel - 1) + 1
    padded = size + 2 * padding
    if reach > padded:
        raise ShapeError(
            f"a window that reaches over {reach} pixels does not fit on {padded} (with padding): "
            "shrink the kernel or pad more."
        )
    return (padded - reach) // stride + 1
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-output-size", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_output_size():
    """Plain, padded, with gaps, and one that does not fit."""
    check_equal(lambda: output_size(5, 3), 3)
    check_equal(lambda: output_size(28, 5, padding=2), 28)
    check_equal(lambda: output_size(7, 3, dilation=3), 1)
    check_raises(ShapeError, lambda: output_size(4, 5), mentions=["5", "4"])
    ### BEGIN HIDDEN TESTS
    check_equal(lambda: output_size(32, 3, stride=2), 15)
    check_equal(lambda: output_size(9, 3, stride=3, padding=1, dilation=2), 3)
    check_equal(lambda: output_size(8, 8), 1)
    check_raises(ShapeError, lambda: output_size(5, 3, 1, 0, 3), mentions=["7"])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_output_size()

# %% [markdown]
r"""
## The formula, word for word

Write it with a loop for every index of the formula. It is slow, and it is what everything later is compared with.

Mind the type: `np.zeros` makes float64 unless told otherwise, and kernels may come as whole numbers. The framework is float32 throughout, so what
you return on this page is float32, whatever came in.
"""

# %% nbgrader={"grade": false, "grade_id": "conv2d-loops", "locked": false, "schema_version": 3, "solution": true, "task": false}
def conv2d_loops(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int = 1, padding: int = 0
) -> np.ndarray:
    """Convolve images with kernels, by explicit loops.

    Args:
        x: images, shape (N, C, H, W).
        weight: kernels, shape (O, C, k, k).
        bias: one number for each kernel, shape (O,).
        stride, padding: the same down and right.

    Returns:
        float32 array of shape (N, O, Ho, Wo).

    TODO: the formula, where the window for output (h, w) begins at pixel (h * stride, w * stride)
        of the padded image; with loops, without einsum or a matrix product.
    APPROACH: 1. np.pad axes 2 and 3  2. the sizes Ho and Wo  3. a loop for each of n, o, h, w
        4. inside: start from the bias, add over c, i, j
    EXAMPLE:
        >>> conv2d_loops(np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)), np.zeros(1))
        array([[[[4., 4.],
                 [4., 4.]]]], dtype=float32)

    HINT: `np.ndindex(2, 3)` is two loops in one, `np.ndindex(N, out, Ho, Wo)` is four.
    """
    ### BEGIN SOLUTION
    N, C, H, W = x.shape
    out, _, k, _ = weight.shape
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    Ho, Wo = ((size + 2 * padding - k) // stride + 1 for size in (H, W))
    y = np.zeros((N, out, Ho, Wo), dtype=np.float32)
    for n, o, h, w in np.ndindex(N, out, Ho, Wo):
        total = bias[o]
        for c, i, j in np.ndindex(C, k, k):
            total += padded[n, c, h * stride + i, w * stride + j] * weight[o, c, i, j]
        y[n, o, h, w] = total
    return y
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-conv2d-loops", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_conv2d_loops():
    """The example of the text, padding on all sides, whole numbers, and loops indeed."""
    x, w = np.float32([[[[1, 2, 3], [4, 5, 6], [7, 8, 9]]]]), np.array([[[[1, 0], [0, 2]]]])
    check_close(lambda: conv2d_loops(x, w, np.float32([0])), [[[[11, 14], [20, 23]]]])
    expected = [[[[12, 14, 16, 10], [18, 21, 24, 13], [24, 30, 33, 16], [10, 17, 18, 19]]]]
    check_close(lambda: conv2d_loops(x, w, np.float32([10]), padding=1), expected)
    check_equal(lambda: conv2d_loops(x, w, np.array([10])).dtype.name, "float32")
    check_without(conv2d_loops, "@", "einsum", "matmul", "dot", "vdot", "tensordot", "inner")
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(0)
    x, w, b = (rng.normal(size=shape) for shape in ((2, 3, 7, 6), (4, 3, 3, 3), (4,)))
    windows_of_x = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(2, 3))
    expected = np.einsum("nchwij,ocij->nohw", windows_of_x, w) + b[:, None, None]
    check_close(lambda: conv2d_loops(x, w, b), expected, atol=1e-4)
    check_close(lambda: conv2d_loops(x, w, b, stride=2), expected[:, :, ::2, ::2], atol=1e-4)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_conv2d_loops()

# %% [markdown]
r"""
Count: how many multiplications does one layer of 32 kernels of shape (32, 3, 3) make on 64 images of 32 x 32, with padding 1? And how many does Python make in a second, a few
million or a few hundred million? Divide, write the answer down, and let the cell divide too.
"""


# %%
def analyze_loops():
    """Multiply-adds per second of your loops on a small image, and what a real layer would take."""
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=(1, 4, 8, 8)), rng.normal(size=(8, 4, 3, 3))
    milliseconds = bench(conv2d_loops, x, weight, np.zeros(8), 1, 1, samples=3).low_ms
    rate = 8 * 8 * 8 * 4 * 9 / milliseconds * 1e3  # pixels, kernels, channels, places
    work = 64 * 32 * 32 * 32 * 32 * 9  # images, pixels, kernels, channels, places
    print(f"{rate / 1e6:.1f} million multiply-adds per second")
    print(f"the layer: {work / 1e9:.2f} billion multiply-adds, {work / rate / 60:.0f} minutes")


if __name__ == "__main__":
    analyze_loops()

# %% [markdown]
r"""
## Six strides

Look at the formula again: a sum over $(c, i, j)$ of something times a weight. If the pixels under every window stood in the column of a matrix,
the whole layer would be **one matrix product**, (O, Ckk) @ (Ckk, windows), and BLAS could do it.

To arrange that without loops, remember module 01: a shape is a promise to the reader, a stride a promise to the machine. The window at output $(h, w)$
sees, at its place $(i, j)$, pixel $(h s + i d,\; w s + j d)$. So six indices lead to one address, and *each moves it by a constant*. Six strides
therefore describe all windows at once, and no number is copied, although with a 3 x 3 kernel most pixels now appear nine times:

```
x of shape (C, N, H, W)   strides (c, n, row, column)

index        c      i        j         n      h        w
moves by     c   d * row  d * column   n   s * row  s * column
```

C stands before N, because the product that you are heading for has a row for each kernel, all images side by side in it: (O, N, Ho, Wo). A `Window` holds the four numbers of the walk.
"""

# %% nbgrader={"grade": false, "grade_id": "window-class", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@dataclass(frozen=True)
class Window:
    """How a window walks over an image; each field is a pair (down, right)."""

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)

    @classmethod
    def of(cls, kernel: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1) -> "Window":
        """Make one from whole numbers or pairs; raises ValueError when a size is too small.

        Example:
            >>> Window.of(3, padding=(1, 0)).padding
            (1, 0)
        """
        return checked(cls(*map(pair, (kernel, stride, padding, dilation))))

    def output(self, height: int, width: int) -> tuple[int, int]:
        """In how many places it fits, down and right; raises ShapeError when it does not."""
        walk = (self.kernel, self.stride, self.padding, self.dilation)
        return tuple(map(output_size, (height, width), *walk))


# %% [markdown]
r"""
NumPy makes views with `as_strided` and believes every number: a stride too large reads memory that belongs to somebody else, or writes there, and the process dies. The folded cell
holds `strided`, which is the same with a look at the map first, and the checks of a window's sizes.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-strided", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def strided(x: np.ndarray, shape: tuple[int, ...], strides: tuple[int, ...]) -> np.ndarray:
    """View the memory of x with another shape and other strides (in bytes), and refuse to leave it.

    Raises:
        ShapeError: the view would reach outside of x.

    Example:
        >>> strided(np.arange(6.0), (2, 3), (8, 8))
        array([[0., 1., 2.],
               [1., 2., 3.]])
    """
    (low, high), (first, last) = reach(shape, strides), reach(x.shape, x.strides)
    if prod(shape) and not (first <= low and high <= last):
        raise ShapeError(f"a view of shape {tuple(shape)} with strides {tuple(strides)} leaves "
                         f"the memory of an array of shape {x.shape}: too many windows, or "
                         "strides too large.")
    return as_strided(x, shape, strides)


def reach(shape: tuple[int, ...], strides: tuple[int, ...]) -> tuple[int, int]:
    """The lowest and the highest byte where an element begins, counted from the first element."""
    ends = [(n - 1) * stride for n, stride in zip(shape, strides, strict=True)]
    return sum(end for end in ends if end < 0), sum(end for end in ends if end > 0)


def pair(value: Any) -> tuple[int, int]:
    """Turn 3 into (3, 3) and leave (3, 5) alone.

    Raises:
        ValueError: neither a whole number nor two of them.
    """
    sizes = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(sizes) != 2 or not all(isinstance(size, int | np.integer) for size in sizes):
        raise ValueError(f"{value!r} must be a whole number or a pair of them, (down, right).")
    return sizes


def checked(window: Window) -> Window:
    """Return the window; raise ValueError when one of its sizes is too small."""
    if min(window.kernel + window.stride + window.dilation) < 1 or min(window.padding) < 0:
        raise ValueError("kernel, stride and dilation must be at least 1, padding at least 0: "
                         f"{window}.")
    return window


# %% nbgrader={"grade": false, "grade_id": "windows", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def windows(x: np.ndarray, window: Window, grid: tuple[int, int]) -> np.ndarray:
    """View the pixels under every window, without copying any.

    Args:
        x: padded images, shape (C, N, H, W), lying in memory in any way.
        window: its kernel, stride and dilation; the padding has been done.
        grid: how many windows, down and right.

    Returns:
        A view of shape (C, kh, kw, N, *grid): [c, i, j, n, h, w] is the pixel that window (h, w)
        sees at its place (i, j).

    TODO: the table above, as a call of strided.
    APPROACH: 1. the four strides of x  2. the shape  3. strided(x, shape, strides)
    EXAMPLE:
        >>> windows(np.arange(6.0).reshape(1, 1, 2, 3), Window.of(2), (1, 2))[0, :, :, 0, 0, 1]
        array([[1., 2.],
               [4., 5.]])

    HINT: `x.strides` counts bytes, and so does `strided`.
    """
    ### BEGIN SOLUTION
    c, n, row, column = x.strides
    down, right = window.stride
    gap_down, gap_right = window.dilation
    shape = (x.shape[0], *window.kernel, x.shape[1], *grid)
    strides = (c, gap_down * row, gap_right * column, n, down * row, right * column)
    return strided(x, shape, strides)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-windows", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_windows():
    """A window with each stride, a dilated one, and images that lie in memory in another order."""
    x = np.arange(24, dtype=np.float32).reshape(1, 1, 4, 6)
    check_close(lambda: windows(x, Window.of(2), (3, 5))[0, :, :, 0, 2, 3], x[0, 0, 2:4, 3:5])
    step = Window.of(2, stride=2)
    check_close(lambda: windows(x, step, (2, 3))[0, :, :, 0, 1, 2], x[0, 0, 2:4, 4:6])
    gaps = Window.of(2, dilation=2)
    check_close(lambda: windows(x, gaps, (2, 4))[0, :, :, 0, 1, 2], x[0, 0, 1::2, 2:5:2])
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(1)
    window = Window.of((2, 3), stride=(2, 1), dilation=(3, 2))
    for x in (rng.normal(size=(3, 2, 9, 8)), rng.normal(size=(2, 3, 9, 8)).swapaxes(0, 1)):
        seen = [[x[:, :, 3 * i :: 2, 2 * j :][:, :, :3, :4] for j in range(3)] for i in range(2)]
        check_close(lambda: windows(x, window, (3, 4)), np.moveaxis(np.array(seen), 2, 0))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_windows()

# %% [markdown]
r"""
## Columns

Copying this view into a matrix is called **im2col** (images to columns): a row for each (c, i, j), a column for each (n, h, w). Here for one image of 3 x 3 and a kernel of 2 x 2:

```
image         windows (h, w)          columns
              (0,0)  (0,1)  ...       (0,0) (0,1) (1,0) (1,1)
a  b  c        a b    b c        (i,j) = (0,0)   a     b     d     e
d  e  f        d e    e f                (0,1)   b     c     e     f
g  h  i                                  (1,0)   d     e     g     h
                                         (1,1)   e     f     h     i
```

Six axes become two, in the order in which they stand already. This is where the pixels are copied: `reshape` cannot say it with strides any more.
"""

# %% nbgrader={"grade": false, "grade_id": "im2col", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def im2col(x: np.ndarray, window: Window) -> np.ndarray:
    """Make the columns of all images.

    Args:
        x: images, shape (C, N, H, W), not padded yet.
        window: how the window walks.

    Returns:
        float32 array of shape (C * kh * kw, N * Ho * Wo).

    TODO: pad, view the windows, make two axes of six.
    APPROACH: 1. zeros around axes 2 and 3, window.padding is (top and bottom, left and right)
        2. window.output(height, width) is the grid, without the padding  3. windows  4. reshape
    EXAMPLE:
        >>> im2col(np.arange(6.0).reshape(1, 1, 2, 3), Window.of(2))
        array([[0., 1.],
               [1., 2.],
               [3., 4.],
               [4., 5.]], dtype=float32)

    HINT: the first three axes of the view are the rows; math's `prod` multiplies a shape.
    """
    ### BEGIN SOLUTION
    C, N, H, W = x.shape
    top, left = window.padding
    padded = np.zeros((C, N, H + 2 * top, W + 2 * left), np.float32)
    padded[:, :, top : top + H, left : left + W] = x
    view = windows(padded, window, window.output(H, W))  # (C, kh, kw, N, Ho, Wo)
    return view.reshape(prod(view.shape[:3]), prod(view.shape[3:]))  # (Ckk, L)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-im2col", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_im2col():
    """The picture of the text, two images side by side, and padding that is not square."""
    x = np.arange(9).reshape(1, 1, 3, 3)
    expected = [[0, 1, 3, 4], [1, 2, 4, 5], [3, 4, 6, 7], [4, 5, 7, 8]]
    check_close(lambda: im2col(x, Window.of(2)), expected)
    two = np.array([[[[1, 2]], [[3, 4]]]])  # one channel, two images
    check_close(lambda: im2col(two, Window.of((1, 2))), [[1, 3], [2, 4]])
    check_close(lambda: im2col(two, Window.of(1, padding=(0, 1))), [[0, 1, 2, 0, 0, 3, 4, 0]])
    check_equal(lambda: im2col(x, Window.of(2)).dtype.name, "float32")
    ### BEGIN HIDDEN TESTS
    x = np.random.default_rng(2).normal(size=(3, 2, 7, 6))
    window = Window.of((2, 3), stride=(2, 1), padding=(3, 4), dilation=(2, 1))
    padded = np.pad(x, ((0, 0), (0, 0), (3, 3), (4, 4)))
    seen = [padded[:, :, 2 * i :: 2, j : j + 12][:, :, :6] for i in range(2) for j in range(3)]
    check_close(lambda: im2col(x, window), np.stack(seen, 1).reshape(18, -1))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_im2col()

# %% [markdown]
r"""
## One product

Now the whole layer is a product. With $g$ groups it is $g$ of them, one for each group's kernels and rows of columns, and `@` multiplies a stack of matrices pair by pair. `by_group`
cuts the first axis into groups and joins all the others; usually there is one group:

```
weight    (O, C/g, kh, kw)    by_group    (g, O/g, Ckk/g)
columns   (Ckk, L)            by_group    (g, Ckk/g, L)        their product   (g, O/g, L)
```

What comes out is read as (O, N, Ho, Wo). The world expects (N, O, Ho, Wo); the layer will return `y.swapaxes(0, 1)`: the right shape for the reader, the other order in memory, no copy. The
next convolution swaps back, for free. ReLU does not care, and batch norm even prefers it.
"""

# %% nbgrader={"grade": false, "grade_id": "by-group", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def by_group(a: np.ndarray, groups: int) -> np.ndarray:
    """Cut the first axis into groups, join the others: (rows, ...) -> (groups, rows/groups, M).

    Example:
        >>> by_group(np.zeros((6, 3, 2, 2)), 2).shape
        (2, 3, 12)
    """
    return a.reshape(groups, len(a) // groups, prod(a.shape[1:]))


# %% nbgrader={"grade": false, "grade_id": "conv2d-forward", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def conv2d_forward(
    x: np.ndarray, weight: np.ndarray, bias: Any, window: Window, groups: int = 1
) -> np.ndarray:
    """Convolve all images, as one product of the kernels and the columns.

    Args:
        x: images, shape (C, N, H, W).
        weight: kernels, shape (O, C/groups, kh, kw).
        bias: shape (O, 1, 1, 1), or the number 0.
        window: how the window walks.
        groups: how many groups of channels there are.

    Returns:
        float32 array of shape (O, N, Ho, Wo).

    TODO: columns, product, shape, bias.
    APPROACH: 1. im2col, by group  2. the weight by group @ columns
        3. read it as (O, N, Ho, Wo), in float32  4. add the bias
    EXAMPLE:
        >>> x, weight = np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2))
        >>> conv2d_forward(x, weight, 0, Window.of(2))[0, 0]
        array([[4., 4.],
               [4., 4.]], dtype=float32)

    HINT: window.output(height, width) is (Ho, Wo); N is x.shape[1].
    """
    ### BEGIN SOLUTION
    cols = by_group(im2col(x, window), groups)  # (groups, Ckk, L)
    product = by_group(weight, groups) @ cols  # (groups, O/groups, L)
    y = product.reshape(len(weight), x.shape[1], *window.output(*x.shape[2:]))  # (O, N, Ho, Wo)
    y = y.astype(np.float32, copy=False)
    y += bias
    return y
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-conv2d-forward", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_conv2d_forward():
    """Against the loops' example with a bias, and two images that must not be mixed up."""
    x, w = np.arange(1, 10).reshape(1, 1, 3, 3), np.array([[[[1, 0], [0, 2]]]])
    b = np.array([10]).reshape(1, 1, 1, 1)
    check_close(lambda: conv2d_forward(x, w, b, Window.of(2)), [[[[21, 24], [30, 33]]]])
    two = np.float32([[[[1, 2]], [[3, 4]]]])  # one channel, two images
    kernels = np.float32([1, 10]).reshape(2, 1, 1, 1)
    expected = [[[[1, 2]], [[3, 4]]], [[[10, 20]], [[30, 40]]]]
    check_close(lambda: conv2d_forward(two, kernels, 0, Window.of(1)), expected)
    check_equal(lambda: conv2d_forward(x, w, b, Window.of(2)).dtype.name, "float32")
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(2)
    x, w, b = (rng.normal(size=s) for s in ((3, 4, 6, 5), (2, 3, 3, 3), (2, 1, 1, 1)))
    places = [(i, j, x[:, :, i : i + 4, j : j + 3]) for i in range(3) for j in range(3)]
    expected = b + sum(np.einsum("cnhw,oc->onhw", p, w[:, :, i, j]) for i, j, p in places)
    check_close(lambda: conv2d_forward(x, w, b, Window.of(3)), expected)
    expected = (expected - b)[:, :, ::2, ::2]
    check_close(lambda: conv2d_forward(x, w, 0, Window.of(3, stride=2)), expected)
    check_equal(lambda: conv2d_forward(x, w, 0, Window.of(3)).dtype.name, "float32")
    w = rng.normal(size=(6, 1, 3, 3))
    split = [w[:, 0, i, j].reshape(3, 2) for i, j, _ in places]
    pairs = zip((part for *_, part in places), split, strict=True)
    expected = sum(np.einsum("gnhw,gp->gpnhw", *pair) for pair in pairs).reshape(6, 4, 4, 3)
    check_close(lambda: conv2d_forward(x, w, 0, Window.of(3), groups=3), expected)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_conv2d_forward()

# %% [markdown]
r"""
## Backward: the same product, read from the other side

The layer is $Y = K\,X$ with the kernels $K$ and the columns $X$. You know the rules of a product from module 05:

$$\frac{\partial L}{\partial K} = G\,X^\top \qquad \frac{\partial L}{\partial X} = K^\top G$$
"""

# %% nbgrader={"grade": false, "grade_id": "product-gradients", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def kernels_gradient(g: np.ndarray, cols: np.ndarray) -> np.ndarray:
    """Gradient of kernels @ cols for the kernels, group by group.

    Args: g, shape (groups, O/groups, L); cols, shape (groups, Ckk, L).
    Returns: shape (groups, O/groups, Ckk).
    """
    ### BEGIN SOLUTION
    # (groups, Ckk, L) @ (groups, L, O/groups), transposed
    return (cols @ g.swapaxes(1, 2)).swapaxes(1, 2)
    ### END SOLUTION


def columns_gradient(
    g: np.ndarray, kernels: np.ndarray, out: np.ndarray | None = None
) -> np.ndarray:
    """Gradient of kernels @ cols for cols, group by group.

    Args:
        g: gradient of the product, shape (groups, O/groups, L).
        kernels: shape (groups, O/groups, Ckk).
        out: an array for the result, or None for a new one.

    Returns:
        Array of shape (groups, Ckk, L).

    TODO: both gradients, one product each.
    APPROACH: 1. read off the shapes what must be transposed  2. here: np.matmul(..., out=out)
    EXAMPLE:
        >>> kernels_gradient(np.ones((1, 2, 5)), np.ones((1, 9, 5))).shape
        (1, 2, 9)

    HINT: `swapaxes(1, 2)` transposes each group; `.T` would turn the groups around as well.
    """
    ### BEGIN SOLUTION
    # (groups, Ckk, O/groups) @ (groups, O/groups, L) -> (groups, Ckk, L)
    return np.matmul(kernels.swapaxes(1, 2), g, out=out)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-product-gradients", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_product_gradients():
    """Both gradients, for one group and for two."""
    rng = np.random.default_rng(3)
    g, kernels, cols = (rng.normal(size=(2, *s)) for s in ((2, 5), (2, 4), (4, 5)))
    check_close(lambda: columns_gradient(g[:1], kernels[:1])[0], kernels[0].T @ g[0])
    check_close(lambda: kernels_gradient(g[:1], cols[:1])[0], g[0] @ cols[0].T)
    check_equal(lambda: kernels_gradient(g, cols).shape, (2, 2, 4))
    ### BEGIN HIDDEN TESTS
    g, kernels, cols = (rng.normal(size=(3, *s)) for s in ((2, 5), (2, 4), (4, 5)))
    expected = np.einsum("gok,gol->gkl", kernels, g)
    check_close(lambda: columns_gradient(g, kernels), expected)
    expected = np.einsum("gol,gkl->gok", g, cols)
    check_close(lambda: kernels_gradient(g, cols), expected)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_product_gradients()

# %% [markdown]
r"""
The second is a gradient for the *columns*, in which every pixel stands up to $k^2$ times. A pixel acted through all of its copies, so its gradient is the sum of
theirs: **col2im** is im2col with `+=` the other way. Place by place, since windows overlap but no pixel stands twice at the same place $(i, j)$.
"""

# %% nbgrader={"grade": false, "grade_id": "col2im", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def col2im(dcols: np.ndarray, window: Window, shape: tuple[int, ...]) -> np.ndarray:
    """Add up, for each pixel, the gradients of all windows that saw it.

    Args:
        dcols: shape (C, kh, kw, n, *grid), as windows() reads it.
        window: its kernel, stride and dilation.
        shape: of the padded images, (C, n, Hp, Wp).

    Returns:
        float32 array of shape `shape`.

    TODO: scatter the gradients back, one place (i, j) of the window at a time.
    APPROACH: 1. np.zeros(shape, np.float32)  2. view it through windows()
        3. for each (i, j): add dcols[:, i, j] to view[:, i, j]
    EXAMPLE:
        >>> col2im(np.ones((1, 1, 2, 1, 1, 3)), Window.of((1, 2)), (1, 1, 1, 4))
        array([[[[1., 2., 2., 1.]]]], dtype=float32)

    HINT: `part = view[:, i, j]; part += ...` writes through the view. Adding the whole view at
        once would lose what overlaps.
    """
    ### BEGIN SOLUTION
    dx = np.zeros(shape, np.float32)
    view = windows(dx, window, dcols.shape[-2:])  # (C, kh, kw, n, *grid)
    for i, j in np.ndindex(window.kernel):
        part = view[:, i, j]
        part += dcols[:, i, j]
    return dx
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-col2im", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_col2im():
    """Overlapping windows add up; gaps stay zero; float32 whatever came in."""
    ones, shape = np.ones((1, 2, 2, 1, 2, 2)), (1, 1, 3, 3)
    expected = [[[[1, 2, 1], [2, 4, 2], [1, 2, 1]]]]
    check_close(lambda: col2im(ones, Window.of(2), shape), expected)
    step, one = Window.of(1, stride=2), ones[:, :1, :1]
    check_close(lambda: col2im(one, step, shape)[0, 0], [[1, 0, 1], [0, 0, 0], [1, 0, 1]])
    check_equal(lambda: col2im(ones, Window.of(2), shape).dtype.name, "float32")
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(3)
    x, dcols = rng.normal(size=(2, 3, 7, 8)), rng.normal(size=(2, 2, 3, 3, 3, 4))
    window = Window.of((2, 3), stride=(2, 1), dilation=(2, 2))
    got = col2im(dcols, window, x.shape)
    seen = [[x[:, :, 2 * i :: 2, 2 * j :][:, :, :3, :4] for j in range(3)] for i in range(2)]
    seen = np.moveaxis(np.array(seen), 2, 0)
    check_close(lambda: (x * got).sum(), (seen * dcols).sum(), rtol=1e-4)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_col2im()

# %% [markdown]
r"""
Now put it together. The columns are made again from $x$, which the ReLU before the layer keeps anyway, so nothing large has to be remembered. And the first layer of a network
reads data, which needs no gradient: `needs_x` is False there, and one product and the whole way back are saved.
"""

# %% nbgrader={"grade": false, "grade_id": "conv2d-backward", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def conv2d_backward(
    x: np.ndarray, weight: np.ndarray, g: np.ndarray, window: Window, groups: int = 1,
    needs_x: bool = True,
) -> tuple[np.ndarray | None, np.ndarray]:  # fmt: skip
    """Return the gradients of conv2d_forward for its images and its kernels.

    Args:
        x, weight, window, groups: as in conv2d_forward.
        g: gradient of its result, shape (O, N, Ho, Wo).
        needs_x: whether anybody asks for the gradient of x.

    Returns:
        dx of x's shape, or None where it is not needed, and dweight of weight's shape.

    TODO: the two rules, and the shapes around them.
    APPROACH: 1. dweight: kernels_gradient of g and the columns, all by group
        2. columns_gradient, read as (C, kh, kw, N, Ho, Wo)  3. col2im to the padded shape
        4. cut the padding off
    EXAMPLE:
        >>> x, weight, g = np.ones((1, 1, 1, 4)), np.ones((1, 1, 1, 2)), np.ones((1, 1, 1, 3))
        >>> dx, dweight = conv2d_backward(x, weight, g, Window.of((1, 2)))
        >>> dx[0, 0, 0].tolist(), dweight.tolist()
        ([1.0, 2.0, 2.0, 1.0], [[[[3.0, 3.0]]]])

    HINT: pixels top : top + H of the padded image are the image.
    """
    ### BEGIN SOLUTION
    (C, N, H, W), (top, left) = x.shape, window.padding
    wide = by_group(g, groups)  # (groups, O/groups, L)
    cols = by_group(im2col(x, window), groups)  # (groups, Ckk, L)
    dweight = kernels_gradient(wide, cols).reshape(weight.shape)
    if not needs_x:
        return None, dweight
    dcols = columns_gradient(wide, by_group(weight, groups))  # (groups, Ckk, L)
    dcols = dcols.reshape(C, *window.kernel, N, *g.shape[2:])  # (C, kh, kw, N, Ho, Wo)
    dx = col2im(dcols, window, (C, N, H + 2 * top, W + 2 * left))
    return dx[:, :, top : top + H, left : left + W], dweight
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-conv2d-backward", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_conv2d_backward():
    """The example by hand, the same with padding, and nothing for data."""
    x, weight, g = np.ones((1, 1, 1, 4)), np.ones((1, 1, 1, 2)), np.ones((1, 1, 1, 3))
    window = Window.of((1, 2))
    check_close(lambda: conv2d_backward(x, weight, g, window)[0], [[[[1, 2, 2, 1]]]])
    check_close(lambda: conv2d_backward(x, weight, g, window)[1], [[[[3, 3]]]])
    padded, wider = Window.of((1, 2), padding=(0, 1)), np.ones((1, 1, 1, 5))
    check_close(lambda: conv2d_backward(x, weight, wider, padded)[0], [[[[2, 2, 2, 2]]]])
    check_equal(lambda: conv2d_backward(x, weight, g, window, needs_x=False)[0], None)
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(4)
    x, weight = rng.normal(size=(4, 3, 7, 5)), rng.normal(size=(6, 2, 3, 2))
    window = Window.of((3, 2), stride=(2, 1), padding=(3, 4))
    y = conv2d_forward(x, weight, 0, window, groups=2)
    g = rng.normal(size=y.shape)
    dx, dweight = conv2d_backward(x, weight, g, window, groups=2)
    moved = rng.normal(size=x.shape)
    expected = (conv2d_forward(moved, weight, 0, window, groups=2) * g).sum()
    check_close(lambda: (dx * moved).sum(), expected, rtol=1e-3, atol=1e-3)  # linear in x
    moved = rng.normal(size=weight.shape)
    expected = (conv2d_forward(x, moved, 0, window, groups=2) * g).sum()
    check_close(lambda: (dweight * moved).sum(), expected, rtol=1e-3, atol=1e-3)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_conv2d_backward()

# %% [markdown]
r"""
Both directions stand side by side in a `Function`, and `ctx` keeps no columns. Where the columns of a batch fit in `BLOCK` numbers, it is *your* forward and *your* backward that run,
here and in the framework. For larger batches a second way follows below, the same mathematics in smaller pieces.
"""

# %% nbgrader={"grade": false, "grade_id": "convolution-function", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
BLOCK = 1 << 20  # numbers in one block of columns: 4 MiB, which the caches of a core hold together


class Convolution2d(Function):
    """Convolution of (N, C, H, W) with (O, C/groups, kh, kw), in memory (O, N, Ho, Wo)."""

    @staticmethod
    def forward(
        ctx: Context, x: np.ndarray, weight: np.ndarray, bias: Any, window: Window, groups: int
    ) -> np.ndarray:
        x = x.swapaxes(0, 1)  # (C, N, H, W)
        shift = 0 if bias is None else bias.reshape(-1, 1, 1, 1)
        ctx.x, ctx.weight, ctx.window, ctx.groups = x, weight, window, groups
        way = conv2d_forward if fits_a_block(x.shape, window) else forward_in_blocks
        return way(x, weight, shift, window, groups).swapaxes(0, 1)

    @staticmethod
    def backward(ctx: Context, g: np.ndarray) -> tuple:
        """dK = G X^T and dX = col2im(K^T G); the bias gets the sum over images and pixels."""
        needs_x, needs_weight, needs_bias, *_ = ctx.needs_input_grad
        g, dx, dweight = g.swapaxes(0, 1), None, None  # (O, N, Ho, Wo)
        if needs_x or needs_weight:
            way = conv2d_backward if fits_a_block(ctx.x.shape, ctx.window) else backward_in_blocks
            dx, dweight = way(ctx.x, ctx.weight, g, ctx.window, ctx.groups, needs_x)
        dbias = g.reshape(len(g), -1).sum(axis=1) if needs_bias else None
        dx = dx.swapaxes(0, 1) if needs_x else None
        return dx, dweight if needs_weight else None, dbias, None, None


def fits_a_block(shape: tuple[int, ...], window: Window) -> bool:
    """Whether the columns of all images (C, N, H, W) together have at most BLOCK numbers."""
    C, N, H, W = shape
    return C * N * prod(window.kernel) * prod(window.output(H, W)) <= BLOCK


# %% [markdown]
r"""
The folded cell is plumbing: it checks the shapes, and makes a function and a layer of it, with PyTorch's names and its first weights.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-conv2d", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def check_images(name: str, shape: tuple[int, ...], channels: int | None = None) -> None:
    """Raise ShapeError unless `shape` is (N, C, H, W), with C = `channels` if that is given."""
    if len(shape) != 4:
        raise ShapeError(f"{name}: shape {shape} is not (N, C, H, W): a single image needs "
                         "unsqueeze(0), a grey one a channel axis.")
    if channels is not None and shape[1] != channels:
        raise ShapeError(f"{name}: images of shape {shape} have {shape[1]} channels, expected "
                         f"{channels}.")


def conv2d(x: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1,
           padding: Any = 0, dilation: Any = 1, groups: int = 1) -> Tensor:
    """Slide kernels over images: see the formula at the top of module 09.

    Args:
        x: images, shape (N, C, H, W).
        weight: kernels, shape (O, C/groups, kh, kw).
        bias: shape (O,), or None.
        stride, padding, dilation: a whole number or a pair (down, right).
        groups: how many groups the channels are cut into; divides C and O.

    Returns:
        Tensor of shape (N, O, Ho, Wo); see output_size.

    Raises:
        ShapeError: shapes that do not fit; nothing has been computed then.

    Example:
        >>> conv2d(Tensor(np.ones((1, 1, 3, 3))), Tensor(np.ones((1, 1, 2, 2)))).data[0, 0]
        array([[4., 4.],
               [4., 4.]], dtype=float32)
    """
    if weight.ndim != 4:
        raise ShapeError(f"conv2d: weight of shape {weight.shape} is not (O, C/groups, kh, kw).")
    out, per_group, *kernel = weight.shape
    if groups < 1 or out % groups:
        raise ShapeError(f"conv2d: {groups} groups do not divide {out} kernels.")
    check_images("conv2d", x.shape, per_group * groups)
    if bias is not None and bias.shape != (out,):
        raise ShapeError(f"conv2d: bias of shape {bias.shape} for {out} kernels: expected "
                         f"({out},).")
    window = Window.of(kernel, stride, padding, dilation)
    window.output(*x.shape[2:])  # raises when the window does not fit
    return Convolution2d.apply(x, weight, bias, window, groups)


class Conv2d(Module):
    """Learned kernels that slide over images.

    Weight and bias start uniform in +-1/sqrt(C/groups * kh * kw), as in PyTorch.

    Args:
        in_channels, out_channels: C and O.
        kernel_size, stride, padding, dilation: a whole number or a pair (down, right).
        groups: how many groups the channels are cut into.
        bias: whether each kernel has one.

    Raises:
        ValueError: sizes below 1, or groups that do not divide both channel counts.

    Example:
        >>> layer = Conv2d(3, 8, kernel_size=3, padding=1)
        >>> layer.weight.shape, layer(Tensor(np.zeros((2, 3, 32, 32)))).shape
        ((8, 3, 3, 3), (2, 8, 32, 32))
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1,
                 padding: Any = 0, dilation: Any = 1, groups: int = 1, bias: bool = True) -> None:
        sizes = in_channels, out_channels
        if min(*sizes, groups) < 1 or any(size % groups for size in sizes):
            raise ValueError(f"Conv2d: {groups} groups must divide {in_channels} input and "
                             f"{out_channels} output channels, all at least 1.")
        window = Window.of(kernel_size, stride, padding, dilation)
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size, self.stride = window.kernel, window.stride
        self.padding, self.dilation = window.padding, window.dilation
        shape = (out_channels, in_channels // groups, *window.kernel)
        bound = 1 / sqrt(prod(shape[1:]))
        self.weight = Parameter(generator().uniform(-bound, bound, size=shape))
        start = generator().uniform(-bound, bound, size=out_channels) if bias else None
        self.bias = Parameter(start) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, O, Ho, Wo)."""
        walk = (self.stride, self.padding, self.dilation, self.groups)
        return conv2d(x, self.weight, self.bias, *walk)

    def extra_repr(self) -> str:
        channels = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"
        return f"{channels}, stride={self.stride}, padding={self.padding}"


Conv2D = Conv2d  # what Keras calls it

# %% [markdown]
r"""
Does all of this together have the right slope? Measure it, as module 05 taught: strides, padding, gaps, groups, and a picture in which no size equals another.
"""


# %%
def check_convolution_gradients():
    """Slopes of a plain, a strided, a dilated and a grouped convolution."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(2, 4, 6, 5))
    strided_and_padded = {"stride": (2, 1), "padding": (1, 2)}
    dilated = {"dilation": 2, "padding": 1}
    for groups, options in [(1, {}), (1, strided_and_padded), (2, dilated), (4, {"stride": 2})]:
        w, b = rng.normal(size=(4, 4 // groups, 3, 2)), rng.normal(size=4)
        options = {"groups": groups, **options}
        gradient_check(lambda x, w, b, options=options: conv2d(x, w, b, **options), x, w, b)


if __name__ == "__main__":
    check_convolution_gradients()

# %% [markdown]
r"""
## The second way: the same in blocks

The matrix of columns holds every pixel up to $k^2$ times, and whoever makes it for a large batch sends it to main memory and back. The folded cell does the same sum with three ideas more:

- **A block at a time.** Columns of a few images, at most `BLOCK` numbers, are made, multiplied while they are in the cache, and overwritten by the next.
- **Whole rows.** With stride 1, window $w+1$ begins one pixel after window $w$, so a row of windows is a piece of the padded image as it lies in memory. If windows may run over the
  right edge into the next row, all rows make one long piece, copied at once. The $d(k-1)$ windows of each row that ran over are nonsense, and `crop` drops them.
- **The turned kernel.** Which outputs saw pixel (h, w)? With stride 1 a window of them: those at $(h - id,\, w - jd)$. So the gradient for x *is a convolution of g*, with the kernels
  turned around (the mathematicians' flip after all), inputs and outputs exchanged, and $d(k-1) - p$ rings of zeros. One matrix of columns, made of g, then serves both gradients.

```
padded image     0  a  b  c  0 | 0  d  e  f  0 | ...        kernel 3, stride 1: 5 windows per row in memory,
windows            [0  a  b]                                3 of them real, 2 dropped:
                      [a  b  c]
                         [b  c  0]
                            [c  0 |0]   [0 |0  d]           <- over the edge
```
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-blocks", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Columns:
    """A workspace in which blocks of images become the columns of a matrix, and back.

    L below is the number of columns of a block: its images, times the windows on each, those over
    the edge included.

    Args:
        shape: of all the images, (C, N, H, W).
        window: how the window walks.
        groups: how many groups of channels there are.
        block: how many numbers a block may hold, BLOCK if None; one image is the least.
    """

    def __init__(self, shape: tuple[int, ...], window: Window, groups: int,
                 block: int | None = None) -> None:
        C, N, H, W = shape
        (top, left), Wp = window.padding, W + 2 * window.padding[1]
        self.window, self.groups = window, groups
        self.Ho, self.Wo = window.output(H, W)
        whole_rows = window.stride == (1, 1) and 2 * self.Wo >= Wp  # else too much is dropped
        self.grid = (self.Ho, Wp if whole_rows else self.Wo)
        per_image = C * prod(window.kernel) * prod(self.grid)
        step = max(1, min(N, (block or BLOCK) // max(1, per_image)))  # images in a block
        self.blocks = [slice(start, min(start + step, N)) for start in range(0, N, step)]
        rows = H + 2 * top + 1  # one more to run over into
        self.padded = np.zeros((C, step, rows, Wp), np.float32)
        self.place = (..., slice(top, top + H), slice(left, left + W))  # of the image in it
        self.buffer = np.empty(step * per_image, np.float32)

    def fill(self, images: np.ndarray) -> np.ndarray:
        """Make the columns of a block: (C, n, H, W) -> (groups, C/groups * kh * kw, L).

        They lie in a buffer that the next call overwrites.
        """
        n = images.shape[1]
        padded = self.padded[:, :n]
        padded[self.place] = images
        view = windows(padded, self.window, self.grid)  # (C, kh, kw, n, *grid)
        cols = self.buffer[: view.size].reshape(view.shape)
        np.copyto(cols, view)
        return cols.reshape(self.groups, -1, n * prod(self.grid))

    def fold(self, dcols: np.ndarray) -> np.ndarray:
        """Bring gradients of a block's columns back to its images, (C, n, H, W)."""
        shape = (len(self.padded), *self.window.kernel, -1, *self.grid)
        dcols = dcols.reshape(shape)
        n = dcols.shape[3]
        dx = col2im(dcols, self.window, self.padded[:, :n].shape)  # (C, n, Hp, Wp)
        return dx[self.place]

    def crop(self, product: np.ndarray) -> np.ndarray:
        """Drop the windows over the edge: (groups, O/groups, L) -> (O, n, Ho, Wo)."""
        out = product.shape[0] * product.shape[1]
        return product.reshape(out, -1, *self.grid)[..., : self.Wo]

    def spread(self, g: np.ndarray) -> np.ndarray:
        """The reverse of crop, with zeros: (O, n, Ho, Wo) -> (groups, O/groups, L)."""
        wide = np.zeros((*g.shape[:2], *self.grid), np.float32)
        wide[..., : self.Wo] = g
        return by_group(wide, self.groups)


def forward_in_blocks(x: np.ndarray, weight: np.ndarray, bias: Any, window: Window,
                      groups: int = 1, block: int | None = None) -> np.ndarray:
    """The same as conv2d_forward, block by block."""
    columns, kernels = Columns(x.shape, window, groups, block), by_group(weight, groups)
    y = np.empty((len(weight), x.shape[1], columns.Ho, columns.Wo), np.float32)
    for part in columns.blocks:
        product = kernels @ columns.fill(x[:, part])  # (groups, O/groups, L)
        np.add(columns.crop(product), bias, out=y[:, part])  # (O, n, Ho, Wo)
    return y


def backward_in_blocks(x: np.ndarray, weight: np.ndarray, g: np.ndarray, window: Window,
                       groups: int = 1, needs_x: bool = True,
                       block: int | None = None) -> tuple[np.ndarray | None, np.ndarray]:
    """The same as conv2d_backward, from the columns of g where that is less work, else of x."""
    mirror = mirrored(window) if needs_x and len(g) <= len(x) else None
    if mirror:
        return gradients_from_g(x, weight, g, mirror, groups, block)
    kernels, columns = by_group(weight, groups), Columns(x.shape, window, groups, block)
    dx = np.empty(x.shape, np.float32) if needs_x else None
    dkernels = np.zeros(kernels.shape, np.float32)
    for part in columns.blocks:
        wide = columns.spread(g[:, part])  # (groups, O/groups, L)
        cols = columns.fill(x[:, part])  # (groups, Ckk, L)
        dkernels += kernels_gradient(wide, cols)
        if needs_x:
            dx[:, part] = columns.fold(columns_gradient(wide, kernels, out=cols))
    return dx, dkernels.reshape(weight.shape)


def gradients_from_g(x: np.ndarray, weight: np.ndarray, g: np.ndarray, mirror: Window, groups: int,
                     block: int | None) -> tuple[np.ndarray, np.ndarray]:
    """dX as a convolution of g, in which x plays the part of the gradient; for stride 1."""
    out, per_group, kh, kw = weight.shape
    split = weight[:, :, ::-1, ::-1].reshape(groups, out // groups, per_group, kh, kw)
    turned = split.swapaxes(1, 2)  # (groups, C/groups, O/groups, kh, kw)
    kernels = turned.reshape(groups, per_group, -1)
    columns = Columns(g.shape, mirror, groups, block)
    dx, dkernels = np.empty(x.shape, np.float32), np.zeros(kernels.shape, np.float32)
    for part in columns.blocks:
        cols = columns.fill(g[:, part])  # (groups, Okk, L)
        dx[:, part] = columns.crop(kernels @ cols)
        dkernels += kernels_gradient(columns.spread(x[:, part]), cols)
    dturned = dkernels.reshape(turned.shape).swapaxes(1, 2).reshape(weight.shape)
    return dx, dturned[:, :, ::-1, ::-1]


def mirrored(window: Window) -> Window | None:
    """The window that takes g to the gradient for x; None if there is none.

    Example:
        >>> mirrored(Window.of(5, padding=1)).padding
        (3, 3)
    """
    sizes = zip(window.dilation, window.kernel, window.padding, strict=True)
    padding = tuple(d * (k - 1) - p for d, k, p in sizes)
    if window.stride != (1, 1) or min(padding) < 0:
        return None
    return Window(window.kernel, (1, 1), padding, window.dilation)


# %% [markdown]
r"""
Is it the same? One image a block, with strides, gaps and groups, must give what your two functions give.
"""


# %%
def check_blocks():
    """The second way equals the first, forward and backward."""
    rng = np.random.default_rng(5)
    walks = [{}, {"padding": 1}, {"stride": 2, "padding": (2, 0)}, {"dilation": (1, 2)}]
    for groups, out, walk in [(g, o, walk) for g in (1, 2) for o in (2, 6) for walk in walks]:
        x, weight = rng.normal(size=(4, 3, 7, 6)), rng.normal(size=(out, 4 // groups, 3, 2))
        bias, window = rng.normal(size=(out, 1, 1, 1)), Window.of((3, 2), **walk)
        y = conv2d_forward(x, weight, bias, window, groups)
        in_blocks = forward_in_blocks(x, weight, bias, window, groups, block=1)
        np.testing.assert_allclose(in_blocks, y, rtol=1e-4, atol=1e-4)
        g = rng.normal(size=y.shape)
        expected = conv2d_backward(x, weight, g, window, groups)
        got = backward_in_blocks(x, weight, g, window, groups, block=1)
        for mine, other in zip(expected, got, strict=True):
            np.testing.assert_allclose(other, mine, rtol=1e-4, atol=1e-4)


if __name__ == "__main__":
    check_blocks()

# %% [markdown]
r"""
And what does it add? Guess for a LeNet's first layer and for the layer that you counted: is the second way faster, and how much less memory does it take?
"""


# %% nbgrader={"grade": false, "grade_id": "layer-of", "locked": true, "schema_version": 3, "solution": false, "task": false}
def layer_of(n, size, c, o, k):
    """Arrays for a k x k convolution that keeps the size: n images of c channels, o kernels."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(c, n, size, size)).astype(np.float32)
    weight = rng.normal(size=(o, c, k, k)).astype(np.float32)
    g = rng.normal(size=(o, n, size, size)).astype(np.float32)
    return x, weight, g, Window.of(k, padding=k // 2)


# %%
def analyze_both_ways():
    """Milliseconds and peak memory of both ways, for a small and for a large layer."""
    keep_freed_memory()
    sizes = {"LeNet, 32 x 1 x 28 x 28": (32, 28, 1, 6, 5), "64 x 32 x 32 x 32": (64, 32, 32, 32, 3)}
    for name, layer in sizes.items():
        x, weight, g, window = layer_of(*layer)
        ways = {
            "whole": lambda: conv2d_forward(x, weight, 0, window),
            "blocks": lambda: forward_in_blocks(x, weight, 0, window),
            "whole, back": lambda: conv2d_backward(x, weight, g, window),
            "blocks, back": lambda: backward_in_blocks(x, weight, g, window),
        }
        ms = {way: timing.low_ms for way, timing in compare(ways, samples=5).items()}
        peak = {way: peak_bytes(function) / 2**20 for way, function in ways.items()}
        print(name, "| fits a block:", fits_a_block(x.shape, window))
        for way in ways:
            print(f"  {way:<13} {ms[way]:7.1f} ms, peak {peak[way]:6.1f} MiB")
        for back in ("", ", back"):
            faster, less = (kind["whole" + back] / kind["blocks" + back] for kind in (ms, peak))
            what = "back" if back else "forward"
            print(f"  {what}: blocks take 1/{faster:.2f} of the time, 1/{less:.1f} of the memory")


if __name__ == "__main__":
    analyze_both_ways()

# %% [markdown]
r"""
Read your own ratios. Where the columns fit in a block, the second way has little left to save, and so your way is taken. Where they do not, what it surely adds is **memory**: the peak no longer grows
with the batch. Time follows if main memory is the bottleneck: a ratio near 1/1 says that your machine's memory keeps up with its arithmetic, and 1/2 that half of the time went into waiting.

That backward makes the columns again instead of keeping them is the same trade, **recomputing for remembering**; module 13 meets it once more in long sequences.
"""

# %% [markdown]
r"""
## Pooling: keep the best, or the mean

After a few layers it matters *that* an edge was seen, less where exactly. **Max pooling** keeps the largest number under each window, usually 2 x 2 with
stride 2 (by default the stride is the kernel's size). Backward, the whole gradient goes to the pixel that won.

```
1  3 | 2  0        3  2         g = 10 20        0 10 | 20  0
2  0 | 1  1   ->   5  7             30 40   ->   0  0 |  0  0
5  0 | 0  7                                     30  0 |  0 40
5  1 | 6  0                                      0  0 |  0  0
```

The two fives are a tie. Module 05 shared it; here the *first* wins, as in PyTorch, since a share for each would mean comparing everything again.

How to program it? `reshape` to (..., Ho, 2, Wo, 2) and `max` over two axes is short and works for one kind of window only. You have a better view: `view[:, i, j]` is *everybody's*
pixel $(i, j)$, one large array. Walk over the few places, and keep the best so far, and the number of the place where it stood. (Both are timed below.)
"""

# %% nbgrader={"grade": false, "grade_id": "max-pool-forward", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def max_pool_forward(
    view: np.ndarray, find_winner: bool = True
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the largest pixel under each window, and at which place of the window it stood.

    Args:
        view: shape (C, kh, kw, N, Ho, Wo), as windows() gives it.
        find_winner: False when no gradient will be asked for; the winners are None then.

    Returns:
        The maxima, float32, and the winners' places i * kw + j, uint8; both (C, N, Ho, Wo).

    TODO: one pass over the places.
    APPROACH: 1. best = a float32 copy of place (0, 0), winner = zeros
        2. for each other place, in order: where its pixel is larger, winner = its number
        3. best = the larger
    EXAMPLE:
        >>> x = np.float32([[[[1, 3], [2, 0]]]])
        >>> best, winner = max_pool_forward(windows(x, Window.of(2), (1, 1)))
        >>> best.item(), winner.item()
        (3.0, 1)

    HINT: numbers grow along the walk, so np.maximum(winner, larger * np.uint8(number)) is the
        update, with no slow boolean index.
    """
    ### BEGIN SOLUTION
    best = view[:, 0, 0].astype(np.float32)  # (C, N, Ho, Wo), a copy
    winner = np.zeros(best.shape, np.uint8) if find_winner else None
    for number, (i, j) in enumerate(np.ndindex(view.shape[1:3])):
        if number and find_winner:
            pixel = view[:, i, j].copy()  # in one piece, since it is read twice
            np.maximum(winner, (pixel > best) * np.uint8(number), out=winner)
            np.maximum(best, pixel, out=best)
        elif number:
            np.maximum(best, view[:, i, j], out=best)
    return best, winner
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-max-pool-forward", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_max_pool_forward():
    """The example of the text with its tie, and numbers below zero."""
    x = np.float32([[[[1, 3, 2, 0], [2, 0, 1, 1], [5, 0, 0, 7], [5, 1, 6, 0]]]])
    view = windows(x, Window.of(2, stride=2), (2, 2))
    check_close(lambda: max_pool_forward(view)[0], [[[[3, 2], [5, 7]]]])
    check_close(lambda: max_pool_forward(view)[1], [[[[1, 0], [0, 1]]]])
    check_close(lambda: max_pool_forward(view - 9)[0], [[[[-6, -7], [-4, -2]]]])
    check_equal(lambda: max_pool_forward(view, find_winner=False)[1], None)
    ### BEGIN HIDDEN TESTS
    x = np.random.default_rng(5).integers(-9, -1, size=(2, 3, 7, 8))
    window = Window.of((2, 3), stride=(1, 2), dilation=(2, 1))
    view = windows(x, window, (5, 3))
    seen = np.stack([x[:, :, 2 * i : 2 * i + 5, j : j + 5 : 2] for i in range(2) for j in range(3)])
    check_close(lambda: max_pool_forward(view)[0], seen.max(axis=0))
    check_close(lambda: max_pool_forward(view)[1], seen.argmax(axis=0))
    check_close(lambda: max_pool_forward(view, find_winner=False)[0], seen.max(axis=0))
    check_equal(lambda: [a.dtype.name for a in max_pool_forward(view)], ["float32", "uint8"])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_max_pool_forward()

# %% [markdown]
r"""
Backward, each output has one address: pixel 0 of its window, plus an offset that depends on the winner's place only. So no window has to be looked at
again. If windows overlap, one pixel can win twice, and then its gradients add.
"""

# %% nbgrader={"grade": false, "grade_id": "max-pool-backward", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def max_pool_backward(
    g: np.ndarray, first: np.ndarray, offsets: np.ndarray, winner: np.ndarray, size: int
) -> np.ndarray:
    """Send each gradient to the pixel that won.

    Args:
        g: gradients of the maxima, any shape.
        first: where each maximum's window begins in the flat image, same shape as g.
        offsets: how far each place of a window lies behind its first pixel, shape (kh * kw,).
        winner: the place that won, uint8, same shape as g.
        size: how many pixels the flat image has.

    Returns:
        float32 array of shape (size,).

    TODO: zeros, with every g added at its winner.
    APPROACH: 1. look up the offset of each winner  2. add `first`  3. np.add.at
    EXAMPLE:
        >>> g, first, offsets = np.float32([5, 7]), np.array([0, 1]), np.array([0, 1])
        >>> max_pool_backward(g, first, offsets, np.uint8([1, 0]), 3)
        array([ 0., 12.,  0.], dtype=float32)

    HINT: `dx[positions] += g` adds only once where a position occurs twice;
        np.add.at(dx, positions, g) does not forget.
    """
    ### BEGIN SOLUTION
    positions = offsets.take(winner.reshape(-1))
    positions += first.reshape(-1)
    dx = np.zeros(size, np.float32)
    np.add.at(dx, positions, g.reshape(-1))
    return dx
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-max-pool-backward", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_max_pool_backward():
    """The example of the text, and a pixel that wins twice."""
    g, winner = np.float32([[10, 20], [30, 40]]), np.uint8([[1, 0], [0, 1]])
    first, offsets = np.array([[0, 2], [8, 10]]), np.array([0, 1, 4, 5])
    expected = [0, 10, 20, 0, 0, 0, 0, 0, 30, 0, 0, 40, 0, 0, 0, 0]
    check_close(lambda: max_pool_backward(g, first, offsets, winner, 16), expected)
    twice = (np.float32([5, 7]), np.array([0, 1]), np.array([0, 1]), np.uint8([1, 0]))
    check_close(lambda: max_pool_backward(*twice, 3), [0, 12, 0])
    ### BEGIN HIDDEN TESTS
    thrice = (np.array([1, 2, 4]), np.arange(3), np.arange(3), np.uint8([2, 1, 0]))
    check_close(lambda: max_pool_backward(*thrice, 5), [0, 0, 7, 0, 0])
    check_equal(lambda: max_pool_backward(*thrice, 5).dtype.name, "float32")
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_max_pool_backward()

# %% [markdown]
r"""
**Average pooling** is a convolution with all weights equal, channel by channel; so its gradient goes to everybody in equal parts. The padding's zeros count as pixels (PyTorch's default).
"""

# %% nbgrader={"grade": false, "grade_id": "avg-pool", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def avg_pool_forward(view: np.ndarray) -> np.ndarray:
    """Mean over the kh * kw places: (C, kh, kw, N, Ho, Wo) -> float32 (C, N, Ho, Wo)."""
    ### BEGIN SOLUTION
    total = view[:, 0, 0].astype(np.float32)
    for i, j in list(np.ndindex(view.shape[1:3]))[1:]:
        total += view[:, i, j]
    return total / np.float32(view.shape[1] * view.shape[2])
    ### END SOLUTION


def avg_pool_backward(g: np.ndarray, kernel: tuple[int, int]) -> np.ndarray:
    """Gradient for every pixel under every window, ready for col2im.

    Args: g, shape (C, N, Ho, Wo); kernel, (kh, kw).
    Returns: shape (C, kh, kw, N, Ho, Wo).

    TODO: both directions of the mean.
    APPROACH: 1. forward: add up the places, divide by their number
        2. backward: an equal share of g for each place, as a view
    EXAMPLE:
        >>> avg_pool_backward(np.float32([[[[6]]]]), (1, 2)).tolist()
        [[[[[[3.0]]], [[[3.0]]]]]]

    HINT: g[:, None, None] has two axes of size 1; np.broadcast_to stretches them without copying.
    """
    ### BEGIN SOLUTION
    kh, kw = kernel
    share = g[:, None, None] / np.float32(kh * kw)  # (C, 1, 1, N, Ho, Wo)
    return np.broadcast_to(share, (len(g), kh, kw, *g.shape[1:]))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-avg-pool", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_avg_pool():
    """Means of known windows, and equal shares back."""
    x = np.float32([[[[1, 3, 2, 0], [2, 0, 1, 1], [5, 0, 0, 7], [5, 1, 6, 0]]]])
    view = windows(x, Window.of(2, stride=2), (2, 2))
    check_close(lambda: avg_pool_forward(view), [[[[1.5, 1], [2.75, 3.25]]]])
    g = np.float32([[[[6, 12]]]])
    check_close(lambda: avg_pool_backward(g, (2, 1))[0, :, 0, 0, 0], [[3, 6], [3, 6]])
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(6)
    view, g = rng.normal(size=(2, 3, 2, 4, 1, 5)), rng.normal(size=(2, 4, 1, 5))
    check_close(lambda: avg_pool_forward(view), view.mean(axis=(1, 2)))
    check_equal(lambda: avg_pool_forward(view).dtype.name, "float32")
    expected = np.zeros(view.shape) + g[:, None, None] / 6
    check_close(lambda: avg_pool_backward(g, (3, 2)), expected)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_avg_pool()

# %% [markdown]
r"""
The wrappers are given and folded: rings of minus infinity for the maximum and of zeros for the mean, the two `Function`s, PyTorch's names, a mean over a fixed grid, and `Flatten`.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "pooling-layers", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def pad_images(x: np.ndarray, window: Window, value: float) -> np.ndarray:
    """Put rings of `value` around images (C, N, H, W); without padding, the images themselves."""
    (top, left), (C, N, H, W) = window.padding, x.shape
    if not top and not left:
        return x
    ringed = np.full((C, N, H + 2 * top, W + 2 * left), value, np.float32)
    ringed[:, :, top : top + H, left : left + W] = x
    return ringed


def unpad(x: np.ndarray, window: Window) -> np.ndarray:
    """Take the rings off again, as a view."""
    top, left = window.padding
    return x[:, :, top : x.shape[2] - top, left : x.shape[3] - left]


class MaxPooling2d(Function):
    """Maximum under each window; padding counts as minus infinity and never wins."""

    @staticmethod
    def forward(ctx: Context, x: np.ndarray, window: Window) -> np.ndarray:
        padded = pad_images(x.swapaxes(0, 1), window, -np.inf)  # (C, N, Hp, Wp)
        view = windows(padded, window, window.output(*x.shape[2:]))
        best, winner = max_pool_forward(view, ctx.needs_input_grad[0])
        ctx.winner, ctx.shape, ctx.window = winner, padded.shape, window
        return best.swapaxes(0, 1)  # (N, C, Ho, Wo)

    @staticmethod
    def backward(ctx: Context, g: np.ndarray) -> tuple:
        """The gradient goes to the winner."""
        (C, N, H, W), window, g = ctx.shape, ctx.window, g.swapaxes(0, 1)
        images, rows, columns = (np.arange(n) for n in (C * N, *g.shape[2:]))
        first = rows[:, None] * (window.stride[0] * W) + columns * window.stride[1]
        first = images[:, None, None] * (H * W) + first
        walk = zip(window.dilation, window.kernel, strict=True)
        down, right = (gap * np.arange(k) for gap, k in walk)
        offsets = (down[:, None] * W + right).reshape(-1)  # (kh * kw,)
        dx = max_pool_backward(g, first.reshape(g.shape), offsets, ctx.winner, C * N * H * W)
        return unpad(dx.reshape(ctx.shape), window).swapaxes(0, 1), None


class AveragePooling2d(Function):
    """Mean under each window; padding counts as zeros."""

    @staticmethod
    def forward(ctx: Context, x: np.ndarray, window: Window) -> np.ndarray:
        padded = pad_images(x.swapaxes(0, 1), window, 0)  # (C, N, Hp, Wp)
        ctx.shape, ctx.window = padded.shape, window
        return avg_pool_forward(windows(padded, window, window.output(*x.shape[2:]))).swapaxes(0, 1)

    @staticmethod
    def backward(ctx: Context, g: np.ndarray) -> tuple:
        """Equal shares, added up by pixel."""
        shares = avg_pool_backward(g.swapaxes(0, 1), ctx.window.kernel)  # (C, kh, kw, N, Ho, Wo)
        return unpad(col2im(shares, ctx.window, ctx.shape), ctx.window).swapaxes(0, 1), None


def pool_window(name: str, shape: tuple[int, ...], kernel_size: Any, stride: Any, padding: Any,
                dilation: Any = 1) -> Window:
    """Make the window of a pooling, and check that it fits on images of shape `shape`."""
    check_images(name, shape)
    window = Window.of(kernel_size, kernel_size if stride is None else stride, padding, dilation)
    if any(2 * p > k for p, k in zip(window.padding, window.kernel, strict=True)):
        raise ValueError(f"{name}: padding {window.padding} is more than half of kernel "
                         f"{window.kernel}: some windows would see no pixel.")
    if prod(window.kernel) > 256:
        raise ValueError(f"{name}: kernel {window.kernel} has more than 256 places.")
    window.output(*shape[2:])
    return window


def max_pool2d(x: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
               dilation: Any = 1) -> Tensor:
    """Largest pixel under each window: (N, C, H, W) -> (N, C, Ho, Wo).

    The stride is the kernel's size unless given.

    Raises:
        ShapeError: x is not (N, C, H, W), or the window does not fit.
        ValueError: the padding is more than half of the kernel.

    Example:
        >>> max_pool2d(Tensor([[[[1, 3], [2, 0]]]]), 2).item()
        3.0
    """
    window = pool_window("max_pool2d", x.shape, kernel_size, stride, padding, dilation)
    return MaxPooling2d.apply(x, window)


def avg_pool2d(x: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0) -> Tensor:
    """Mean of the pixels under each window, padding included: (N, C, H, W) -> (N, C, Ho, Wo).

    Raises:
        ShapeError, ValueError: as max_pool2d.

    Example:
        >>> avg_pool2d(Tensor([[[[1, 3], [2, 0]]]]), 2).item()
        1.5
    """
    window = pool_window("avg_pool2d", x.shape, kernel_size, stride, padding)
    return AveragePooling2d.apply(x, window)


def adaptive_avg_pool2d(x: Tensor, output_size: Any) -> Tensor:
    """Mean over a grid of rectangles that cover the image: (N, C, H, W) -> (N, C, *output_size).

    Rectangle i covers rows floor(i H / h) to ceil((i + 1) H / h), as in PyTorch. A mean over a
    rectangle is a mean over rows of means over columns, so two matrix products do it.

    Raises:
        ShapeError: x is not (N, C, H, W), or has no pixels.

    Example:
        >>> adaptive_avg_pool2d(Tensor([[[[1, 3], [2, 0]]]]), 1).item()
        1.5
    """
    check_images("adaptive_avg_pool2d", x.shape)
    if not prod(x.shape[2:]):
        raise ShapeError(f"adaptive_avg_pool2d: images of shape {x.shape} have no pixels.")
    sizes = zip(x.shape[2:], pair(output_size), strict=True)
    down, right = (Tensor(averages(n, places)) for n, places in sizes)
    return down @ (x @ right.T)  # (h, H) @ ((N, C, H, W) @ (W, w)) -> (N, C, h, w)


def averages(size: int, places: int) -> np.ndarray:
    """The matrix that takes `size` pixels to the means of `places` pieces, shape (places, size).

    Example:
        >>> averages(4, 2)
        array([[0.5, 0.5, 0. , 0. ],
               [0. , 0. , 0.5, 0.5]], dtype=float32)
    """
    matrix = np.zeros((places, size), np.float32)
    for i in range(places):
        start, stop = i * size // places, -(-(i + 1) * size // places)  # rounded down, rounded up
        matrix[i, start:stop] = 1 / (stop - start)
    return matrix


class MaxPool2d(Module):
    """max_pool2d as a layer.

    Example:
        >>> MaxPool2d(2)(Tensor(np.zeros((1, 3, 8, 8)))).shape
        (1, 3, 4, 4)
    """

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0,
                 dilation: Any = 1) -> None:
        self.kernel_size, self.stride = kernel_size, stride
        self.padding, self.dilation = padding, dilation

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, Ho, Wo)."""
        return max_pool2d(x, self.kernel_size, self.stride, self.padding, self.dilation)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(Module):
    """avg_pool2d as a layer."""

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, Ho, Wo)."""
        return avg_pool2d(x, self.kernel_size, self.stride, self.padding)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AdaptiveAvgPool2d(Module):
    """adaptive_avg_pool2d as a layer."""

    def __init__(self, output_size: Any) -> None:
        self.output_size = output_size

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, *output_size)."""
        return adaptive_avg_pool2d(x, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class Flatten(Module):
    """Join the axes from `start_dim` to `end_dim` into one; the batch axis stays by default.

    This is where the order (C, N, H, W) in memory is paid for: one copy, of the smallest image.

    Example:
        >>> Flatten()(Tensor(np.zeros((2, 3, 4, 4)))).shape
        (2, 48)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C * H * W)."""
        first, last = self.start_dim % x.ndim, self.end_dim % x.ndim
        return x.reshape(*x.shape[:first], prod(x.shape[first : last + 1]), *x.shape[last + 1 :])


MaxPool2D = MaxPool2d  # what Keras calls it

# %% [markdown]
r"""
## Batch norm

Deep stacks of layers drift: a channel that doubles in each layer is $2^{20}$, a million times, larger after twenty. **Batch normalisation** (Ioffe and Szegedy, 2015) brings every channel
back to mean 0 and variance 1, and then lets the network choose its own mean $\beta$ and scale $\gamma$ again:

$$\hat x = \frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}} \qquad y = \gamma\, \hat x + \beta$$

$\mu$ and $\sigma^2$ belong to a *channel*: they run over all images of the batch and all their pixels. In our memory order a channel is one row, so
everything below works on `rows` of shape (C, M) with $M = N H W$.
"""

# %% nbgrader={"grade": false, "grade_id": "batch-norm-forward", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def batch_statistics(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and (population) variance of each channel: (C, M) -> (C,), (C,)."""
    ### BEGIN SOLUTION
    mean = rows.mean(axis=1)
    centred = rows - mean[:, None]
    return mean, np.einsum("cm,cm->c", centred, centred) / np.float32(rows.shape[1])
    ### END SOLUTION


def normalise(
    rows: np.ndarray, mean: np.ndarray, var: np.ndarray, weight: np.ndarray, bias: np.ndarray,
    eps: float,
) -> np.ndarray:  # fmt: skip
    """Normalise each channel with the statistics given, then scale and shift it.

    Args:
        rows: shape (C, M).
        mean, var, weight, bias: shape (C,).
        eps: added to the variance, so that a constant channel divides by something.

    Returns:
        float32 array of shape (C, M).

    TODO: the statistics of each channel, and the formula.
    APPROACH: 1. sums run along axis 1
        2. subtract the mean before you square (module 01 knows why)
        3. weight / sqrt(var + eps), one number per channel  4. y, in float32
    EXAMPLE:
        >>> one, zero = np.float32([1]), np.float32([0])
        >>> normalise(np.float32([[1, 3]]), np.float32([2]), one, one, zero, eps=0)
        array([[-1.,  1.]], dtype=float32)

    HINT: `mean[:, None]` is a column (C, 1) that broadcasts along the rows.
    """
    ### BEGIN SOLUTION
    y = (rows - mean[:, None]).astype(np.float32, copy=False)
    y *= (weight / np.sqrt(var + np.float32(eps)))[:, None]
    y += bias[:, None]
    return y
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-batch-norm-forward", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_batch_norm_forward():
    """Statistics per channel, the formula, and the variance that lies when squares come first."""
    rows = np.float32([[1, 3, 5, 7], [2, 2, 2, 2]])
    check_close(lambda: batch_statistics(rows), [[4, 2], [5, 0]])
    far = rows + np.float32(1e4)
    check_close(lambda: batch_statistics(far)[1], [5, 0], rtol=0.01)
    mean, var, one, shift = (np.float32(v) for v in ([4, 2], [5, 0], [1, 1], [0, 10]))
    expected = [np.float32([-3, -1, 1, 3]) / np.sqrt(5), [10] * 4]
    check_close(lambda: normalise(rows, mean, var, one, shift, eps=1e-5), expected, atol=1e-4)
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(7)
    rows = rng.normal(size=(3, 500)).astype(np.float32) + np.float32(1e4)
    expected = rows.astype(np.float64).var(axis=1)
    check_close(lambda: batch_statistics(rows)[1], expected, rtol=0.01)
    mean, var, weight, bias = (rng.uniform(0.5, 2, size=3) for _ in range(4))
    rows = rng.normal(size=(3, 20))
    expected = ((rows.T - mean) / np.sqrt(var + 0.3) * weight + bias).T
    check_close(lambda: normalise(rows, mean, var, weight, bias, eps=0.3), expected)
    got = normalise(rows, mean, var, weight, bias, eps=0.3)
    check_equal(lambda: got.dtype.name, "float32")
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_batch_norm_forward()

# %% [markdown]
r"""
### What happens at test time?

A single photograph has no batch, and a prediction should not depend on who else is in it. So training keeps a **running** mean and variance, and
evaluation uses those. Each step moves them a little towards the batch; with PyTorch's momentum $m = 0.1$, which is the share of the *new* value:

$$r \leftarrow (1 - m)\, r + m\, v$$

For the variance, $v$ is the *unbiased* one, $\sigma^2 M/(M-1)$: the batch is a sample of what will come. With $M = 1$ there is no such thing, and the normalised value would be 0 whatever the
input; we refuse.
"""

# %% nbgrader={"grade": false, "grade_id": "running-statistics", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def update_running(
    running_mean: np.ndarray, running_var: np.ndarray, mean: np.ndarray, var: np.ndarray,
    count: int, momentum: float,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Return the running statistics, moved towards those of a batch.

    Args:
        running_mean, running_var: so far, float32 of shape (C,).
        mean, var: of the batch, float32 of shape (C,); var is the population variance.
        count: M, how many numbers of each channel the batch had; at least 2.
        momentum: share of the new value.

    Returns:
        The new running mean and variance, two float32 arrays of shape (C,).

    TODO: the formula, for both.
    APPROACH: 1. the unbiased variance  2. mix old and new
    EXAMPLE:
        >>> zero, one, ten, four = (np.float32([v]) for v in (0, 1, 10, 4))
        >>> update_running(zero, one, ten, four, count=2, momentum=0.1)
        (array([1.], dtype=float32), array([1.7], dtype=float32))

    HINT: 0.9 * 1 + 0.1 * (4 * 2 / 1) = 1.7
    """
    ### BEGIN SOLUTION
    unbiased = var * (count / (count - 1))
    new_mean = (1 - momentum) * running_mean + momentum * mean
    return new_mean, (1 - momentum) * running_var + momentum * unbiased
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-running-statistics", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_running_statistics():
    """One step with PyTorch's momentum."""
    old = np.float32([0, 0]), np.float32([1, 1])
    batch = np.float32([10, -5]), np.float32([4, 1])
    check_close(lambda: update_running(*old, *batch, 2, 0.1)[0], [1.0, -0.5])
    check_close(lambda: update_running(*old, *batch, 2, 0.1)[1], [1.7, 1.1])
    ### BEGIN HIDDEN TESTS
    old, batch = (np.float32([3]), np.float32([2])), (np.float32([7]), np.float32([6]))
    check_close(lambda: update_running(*old, *batch, count=4, momentum=0.25), [[4.0], [3.5]])
    check_equal(
        lambda: [a.dtype.name for a in update_running(*old, *batch, 4, 0.25)], ["float32"] * 2
    )
    check_close(lambda: old[0], [3.0])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_running_statistics()

# %% [markdown]
r"""
### Backward: everybody moves the mean

In evaluation $\mu$ and $\sigma$ are constants, and $dx = g\,\gamma/\sqrt{\sigma^2+\varepsilon}$. In training each pixel also moves the mean and the variance of
its channel, and so all other outputs. Two sums account for it. With $h = \gamma g$, and bars for means along the row:

$$dx = \frac{1}{\sqrt{\sigma^2+\varepsilon}}\Big(h - \bar h - \hat x\;\overline{h\,\hat x}\Big) \qquad d\gamma = \sum g\,\hat x \qquad d\beta = \sum g$$

Read it: from the gradient everything is removed that shifting the row ($\bar h$) or stretching it ($\overline{h \hat x}$) could do, since the
layer would undo that anyway.
"""

# %% nbgrader={"grade": false, "grade_id": "batch-norm-backward", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def batch_norm_backward(
    g: np.ndarray, normal: np.ndarray, scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the gradients of a batch norm in training, for its input, its weight and its bias.

    Args:
        g: gradient of the output, shape (C, M).
        normal: the normalised input, shape (C, M).
        scale: weight / sqrt(var + eps), shape (C,).

    Returns:
        Arrays of shapes (C, M), (C,), (C,); float32 where the arguments are.

    TODO: the three formulas.
    APPROACH: 1. the two sums  2. divided by M they are the means of g and of g * normal
        3. gamma and the root, both in `scale`, stand outside
    EXAMPLE:
        >>> g, normal = np.float32([[1, 1]]), np.float32([[-1, 1]])
        >>> batch_norm_backward(g, normal, np.float32([1]))
        (array([[0., 0.]], dtype=float32), array([0.], dtype=float32), array([2.], dtype=float32))

    HINT: np.einsum("cm,cm->c", g, normal) multiplies and adds along the rows without a temporary.
    """
    ### BEGIN SOLUTION
    M = np.float32(g.shape[1])
    dweight, dbias = np.einsum("cm,cm->c", g, normal), g.sum(axis=1)
    dx = normal * (-dweight / M)[:, None]
    dx += g
    dx -= (dbias / M)[:, None]
    dx *= scale[:, None]
    return dx, dweight, dbias
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-batch-norm-backward", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_batch_norm_backward():
    """A gradient that only shifts or stretches is removed; the two sums."""
    normal, scale = np.float32([[-1, 1, -1, 1]]), np.float32([3])
    g = np.float32([[2, 4, 2, 4]])  # 3 + normal: a shift and a stretch
    check_close(lambda: batch_norm_backward(g, normal, scale)[0], [[0, 0, 0, 0]])
    check_close(lambda: batch_norm_backward(g, normal, scale)[1:], [[4], [12]])
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(8)
    normal, g = (rng.normal(size=(3, 40)).astype(np.float32) for _ in range(2))
    scale = np.float32([1, 1.5, 2])
    normal = (normal - normal.mean(1, keepdims=True)) / normal.std(1, keepdims=True)
    left = g - g.mean(1, keepdims=True) - normal * (g * normal).mean(1, keepdims=True)
    expected = scale[:, None] * left
    check_close(lambda: batch_norm_backward(g, normal, scale)[0], expected, atol=1e-4)
    expected = [(g * normal).sum(1), g.sum(1)]
    check_close(lambda: batch_norm_backward(g, normal, scale)[1:], expected, atol=1e-4)
    check_equal(
        lambda: {a.dtype.name for a in batch_norm_backward(g, normal, scale)}, {"float32"}
    )
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_batch_norm_backward()

# %% [markdown]
r"""
The folded wrappers choose the statistics, refuse what has no variance before anything changes, and keep `running_mean` and `running_var` as buffers.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "batch-norm-layer", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class BatchNormalisation(Function):
    """Batch norm of (N, C, ...) with the batch's own statistics (training) or with constants."""

    @staticmethod
    def forward(ctx: Context, x: np.ndarray, weight: Any, bias: Any, mean: np.ndarray,
                var: np.ndarray, eps: float, training: bool) -> np.ndarray:
        C = x.shape[1]
        swapped = x.swapaxes(0, 1)  # (C, N, ...)
        weight = np.ones(C, np.float32) if weight is None else weight
        bias = np.zeros(C, np.float32) if bias is None else bias
        rows = swapped.reshape(C, -1)  # (C, M)
        ctx.rows, ctx.mean, ctx.deviation = rows, mean, np.sqrt(var + np.float32(eps))
        ctx.weight, ctx.training = weight, training
        return normalise(rows, mean, var, weight, bias, eps).reshape(swapped.shape).swapaxes(0, 1)

    @staticmethod
    def backward(ctx: Context, g: np.ndarray) -> tuple:
        """See batch_norm_backward; with constant statistics only the scale is left of it."""
        swapped = g.swapaxes(0, 1)  # (C, N, ...)
        rows, scale = swapped.reshape(len(swapped), -1), ctx.weight / ctx.deviation
        normal = ctx.rows - ctx.mean[:, None]
        normal /= ctx.deviation[:, None]
        if ctx.training:
            dx, dweight, dbias = batch_norm_backward(rows, normal, scale)
        else:
            dx, dbias = rows * scale[:, None], rows.sum(axis=1)
            dweight = np.einsum("cm,cm->c", rows, normal)
        return dx.reshape(swapped.shape).swapaxes(0, 1), dweight, dbias, None, None, None, None


def batch_norm(x: Tensor, running_mean: Any, running_var: Any, weight: Any = None,
               bias: Any = None, training: bool = False, momentum: float = 0.1,
               eps: float = 1e-5) -> Tensor:
    """Normalise each channel, with the batch's statistics in training, else with the running ones.

    Args:
        x: shape (N, C, H, W) (or any (N, C, ...)).
        running_mean, running_var: float32 arrays of shape (C,); training moves them, in place.
            None: the batch's are used and none kept.
        weight, bias: Tensors of shape (C,), or None for 1 and 0.
        training: which statistics to use.
        momentum: share of the batch in the new running statistics.
        eps: added to the variance.

    Raises:
        ShapeError: fewer than two axes, another number of channels, or one value per channel in
            training; nothing has changed then.

    Example:
        >>> batch_norm(Tensor([[1], [3]]), None, None, training=True, eps=0).data
        array([[-1.],
               [ 1.]], dtype=float32)
    """
    if x.ndim < 2:
        raise ShapeError(f"batch_norm: shape {x.shape} is not (N, C, ...).")
    N, C, *rest = x.shape
    names = ("running_mean", "running_var", "weight", "bias")
    values = (running_mean, running_var, weight, bias)
    for name, value in zip(names, values, strict=True):
        if value is not None and value.shape != (C,):
            raise ShapeError(f"batch_norm: x of shape {x.shape} has {C} channels, {name} has "
                             f"shape {value.shape}.")
    own = training or running_mean is None
    count = N * prod(rest)
    if not own:
        mean, var = running_mean.copy(), running_var.copy()
        return BatchNormalisation.apply(x, weight, bias, mean, var, eps, False)
    if count < 2:
        raise ShapeError(f"batch_norm: shape {x.shape} has {count} value per channel, and a "
                         "variance needs two: use a larger batch, or eval().")
    mean, var = batch_statistics(x.detach().data.swapaxes(0, 1).reshape(C, -1))
    if training and running_mean is not None:
        moved = update_running(running_mean, running_var, mean, var, count, momentum)
        running_mean[...], running_var[...] = moved
    return BatchNormalisation.apply(x, weight, bias, mean, var, eps, True)


class BatchNorm2d(Module):
    """Batch norm for images: weight starts at 1, bias at 0.

    running_mean and running_var are buffers, part of the state.

    Args:
        num_features: C.
        eps: added to the variance.
        momentum: share of the batch in the new running statistics.
        affine: whether there are a weight and a bias.

    Example:
        >>> layer = BatchNorm2d(3)
        >>> sorted(layer.state_dict())
        ['bias', 'running_mean', 'running_var', 'weight']
    """

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1,
                 affine: bool = True) -> None:
        if num_features < 1 or eps < 0 or not 0 <= momentum <= 1:
            raise ValueError(f"BatchNorm2d({num_features}, eps={eps}, momentum={momentum}): "
                             "features at least 1, eps at least 0, momentum in [0, 1].")
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.weight = Parameter(np.ones(num_features)) if affine else None
        self.bias = Parameter(np.zeros(num_features)) if affine else None
        self.register_buffer("running_mean", np.zeros(num_features))
        self.register_buffer("running_var", np.ones(num_features))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        check_images("BatchNorm2d", x.shape, self.num_features)
        kept, own = (self.running_mean, self.running_var), (self.weight, self.bias)
        return batch_norm(x, *kept, *own, self.training, self.momentum, self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"


# %%
def check_layer_gradients():
    """Slopes of the poolings, on numbers far apart, and of batch norm in both modes."""
    rng = np.random.default_rng(9)
    x = rng.permutation(2 * 3 * 6 * 5).reshape(2, 3, 6, 5) / 10
    gradient_check(lambda x: max_pool2d(x, 3, stride=1, padding=1), x)
    gradient_check(lambda x: avg_pool2d(x, (3, 2), stride=2, padding=1), x)
    gradient_check(lambda x: adaptive_avg_pool2d(x, (4, 2)), x)
    x, w, b = rng.normal(size=(3, 2, 2, 4)), rng.uniform(0.5, 2, size=2), rng.normal(size=2)
    mean, var = np.float32([0.5, -1]), np.float32([2, 0.5])
    for mode in (True, False):
        gradient_check(
            lambda x, w, b, mode=mode: batch_norm(x, mean.copy(), var.copy(), w, b, mode), x, w, b
        )


if __name__ == "__main__":
    check_layer_gradients()

# %% [markdown]
r"""
## Measure: where does the time go?

Write down three guesses. How many times faster than your loops is one product? What share of a convolution's time is the product itself, the rest being copies? And does it matter to the
layers between two convolutions in which order the images lie in memory?
"""


# %%
def analyze_product():
    """Your loops against your product, and the products' share of a large layer, by block size."""
    keep_freed_memory()
    x, weight, _, window = layer_of(1, 8, 4, 8, 3)
    loops = bench(conv2d_loops, x.swapaxes(0, 1), weight, np.zeros(8), 1, 1, samples=3).low_ms
    fast = bench(conv2d_forward, x, weight, 0, window).low_ms
    print(f"8 x 8 pixels, 4 -> 8 channels: loops {loops:.1f} ms, one product {fast:.3f} ms:")
    print(f"  {loops / fast:,.0f} times faster")
    x, weight, _, window = layer_of(64, 32, 32, 32, 3)
    columns = Columns(x.shape, window, 1)
    kernels, part = by_group(weight, 1), x[:, columns.blocks[0]]
    cols, rounds = columns.fill(part).copy(), len(columns.blocks)
    ways = {"product": lambda: kernels @ cols, "copies": lambda: columns.fill(part)}
    ways["layer"] = lambda: forward_in_blocks(x, weight, 0, window)
    ms = {name: timing.low_ms for name, timing in compare(ways, samples=5).items()}
    product, copies = ms["product"] * rounds, ms["copies"] * rounds
    work = 64 * 32 * 32 * 32 * 32 * 9
    print(f"64 x 32 x 32 x 32: products {product:.1f} ms ({2 * work / product / 1e6:.0f} GFLOP/s),")
    layer = ms["layer"]
    print(f"  im2col {copies:.1f} ms, layer {layer:.1f} ms: {product / layer:.0%} are products")
    written = 4 * x.size * 9 / 1e6
    print(f"  all columns: {written:.0f} MB, {2 * work / written / 1e6:.0f} operations a byte")
    counts, one = [1, 2, 4, 8, 16, 32, 64], columns.buffer.size // columns.padded.shape[1]

    def in_blocks_of(count):
        return forward_in_blocks(x, weight, 0, window, block=count * one)

    sized = {n: lambda n=n: in_blocks_of(n) for n in counts}
    times = [timing.low_ms for timing in compare(sized, samples=5).values()]
    fig, axes = plt.subplots(figsize=(5, 3))
    axes.semilogx(counts, times, "o-", base=2, label="layer")
    axes.axhline(product, linestyle="--", color="grey", label="products alone")
    axes.set(xlabel="images in a block", ylabel="milliseconds", ylim=(0, None))
    axes.legend()
    show(fig, alt="Milliseconds of a layer by images in a block; a line for the products alone")


if __name__ == "__main__":
    analyze_product()


# %%
def analyze_order():
    """Conv, norm, ReLU, pool, conv in our order of memory and copied batch first; and pooling."""
    keep_freed_memory()
    manual_seed(0)
    first, norm = Conv2d(3, 32, 3, padding=1), BatchNorm2d(32)
    second = Conv2d(32, 32, 3, padding=1)
    x = Tensor(np.random.default_rng(0).normal(size=(32, 3, 32, 32)))

    def run(order):
        with no_grad():
            h = order(relu(order(norm(order(first(x))))))
            order(second(order(max_pool2d(h, 2))))

    def copied(t):
        return Tensor(np.ascontiguousarray(t.data))

    ways = {"second": lambda: run(lambda t: t), "first": lambda: run(copied)}
    ms = {name: timing.low_ms for name, timing in compare(ways, samples=9).items()}
    print(f"batch second in memory {ms['second']:.1f} ms, copied to be first {ms['first']:.1f} ms")
    print(f"strides of the first result: {first(x).data.strides} bytes for {first(x).shape}")
    a = np.random.default_rng(1).normal(size=(32, 32, 32, 32)).astype(np.float32)
    view = windows(a, Window.of(2, stride=2), (16, 16))
    ways = {
        "reshape and max": lambda: a.reshape(32, 32, 16, 2, 16, 2).max(axis=(3, 5)),
        "walk over places": lambda: max_pool_forward(view, find_winner=False),
    }
    pool = {name: timing.low_ms for name, timing in compare(ways, samples=9).items()}
    print("max pooling:", ", ".join(f"{name} {ms:.2f} ms" for name, ms in pool.items()))


if __name__ == "__main__":
    analyze_order()

# %% [markdown]
r"""
The loops pay for Python at every multiplication; the product pays once. What the product cannot escape is its arithmetic: two operations per multiply-add, at the library's best
rate, so the dashed line is the floor for *any* program that multiplies as often and uses this product. (Winograd's trick multiplies less often: Lavin and Gray, *Fast algorithms for
convolutional neural networks*, 2016. PyTorch's kernels make no columns at all.)

Between the floor and your curve lie the copies: im2col writes a pixel up to nine times and the product reads it as often. If the printed share of the products is above half, a better matrix product
would help this layer most on your machine; if it is below, fewer copies would. If the curve is flat, your memory keeps up with blocks of any size, and blocks are for the peak only; if it
climbs to the right, you see the columns leave the cache. `python -m benchmarks` sets whole networks beside PyTorch's, on your machine.
"""

# %% [markdown]
r"""
## The whole module

A small network reads the 8 x 8 digits, with everything that you built: your `DataLoader` brings the batches, your `AdamW` steps, your `Trainer` runs the epochs, and your convolutions
are in the middle. Guess how many of 397 new digits it gets wrong after four passes over the others.
"""

# %% nbgrader={"grade": false, "grade_id": "digits-cnn", "locked": true, "schema_version": 3, "solution": false, "task": false}
class DigitsCNN(Module):
    """8 x 8 pixels, two convolutions with batch norm and pooling, 10 classes."""

    def __init__(self):
        self.conv1 = Conv2d(1, 8, 3, padding=1)
        self.norm1 = BatchNorm2d(8)
        self.conv2 = Conv2d(8, 12, 3, padding=1)
        self.norm2 = BatchNorm2d(12)
        self.pool = MaxPool2d(2)
        self.flatten = Flatten()
        self.output = Linear(48, 10)

    def forward(self, x):
        h = self.pool(relu(self.norm1(self.conv1(x))))  # (B, 1, 8, 8) -> (B, 8, 4, 4)
        h = self.pool(relu(self.norm2(self.conv2(h))))  # (B, 8, 4, 4) -> (B, 12, 2, 2)
        return self.output(self.flatten(h))  # (B, 48) -> (B, 10)


def train_digits(epochs: int, lr: float, seed: int) -> Trainer:
    """Train on the first 1,400 digits in batches of 50, and return the trainer with its model."""
    manual_seed(seed)
    pixels, labels = load_digits()
    digits = TensorDataset(pixels.reshape(-1, 1, 8, 8), labels)
    model = DigitsCNN()
    optimizer = AdamW(model.parameters(), lr=lr)
    trainer = Trainer(model, optimizer, cross_entropy, metrics={"accuracy": accuracy})
    batches = DataLoader(Subset(digits, range(1400)), 50, shuffle=True, generator=seed)
    trainer.train(batches, epochs, valid=DataLoader(Subset(digits, range(1400, 1797)), 397))
    return trainer


# %% nbgrader={"grade": true, "grade_id": "test-module-spatial", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_module():
    """The layers agree with the loops, and a small network of them reads real digits."""
    rng = np.random.default_rng(10)
    x, w, b = rng.normal(size=(2, 3, 6, 5)), rng.normal(size=(4, 3, 3, 3)), rng.normal(size=4)
    expected = conv2d_loops(x, w, b, stride=2, padding=1)
    images, kernels, bias = Tensor(x), Tensor(w), Tensor(b)
    walk = {"stride": 2, "padding": 1}
    check_close(lambda: conv2d(images, kernels, bias, **walk).data, expected, atol=1e-4)
    gradient_check(lambda x, w, b: conv2d(x, w, b, padding=1), x[:1, :2, :3], w[:1, :2], b[:1])
    trainer = train_digits(epochs=2, lr=0.01, seed=0)
    check_equal(lambda: trainer.history.loss[-1] < 0.3 * trainer.history.loss[0], True)
    check_equal(lambda: trainer.history.epochs[-1]["valid_accuracy"] > 0.8, True)
    right = trainer.history.epochs[-1]["valid_accuracy"]
    print(f"{sum(p.data.size for p in trainer.model.parameters()):,} weights;", end=" ")
    print(f"it gets {round(397 * (1 - right))} of 397 new digits wrong")
    ### BEGIN HIDDEN TESTS
    walk = {"stride": (2, 1), "dilation": (1, 2), "groups": 2}
    few, kernel = x[:1, :2, :3, :3], rng.normal(size=(4, 1, 2, 2))
    gradient_check(lambda x, w: conv2d(x, w, **walk), few, kernel)
    far = rng.permutation(12).reshape(1, 1, 3, 4) / 10
    gradient_check(lambda x: max_pool2d(x, 2, stride=1) + avg_pool2d(x, 2, stride=1), far)
    layer, batch = BatchNorm2d(3), Tensor(x * 2 + 5)
    y = layer(batch).data
    check_close(lambda: y.mean(axis=(0, 2, 3)), np.zeros(3), atol=1e-4)
    layer.eval()
    var = 0.9 + 0.1 * (x * 2).var(axis=(0, 2, 3), ddof=1)
    mean = 0.1 * (x * 2 + 5).mean(axis=(0, 2, 3))
    expected = (x * 2 + 5 - mean[:, None, None]) / np.sqrt(var + 1e-5)[:, None, None]
    check_close(lambda: layer(batch).data, expected, atol=1e-4)
    alone = Tensor(np.ones((1, 3, 1, 1)))
    check_raises(ShapeError, lambda: BatchNorm2d(3)(alone), mentions=["(1, 3, 1, 1)"])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_module()

# %% [markdown]
r"""
At the top of the page somebody chose the kernels. What did yours become? Before you read on, look for an edge among them.
"""


# %%
def analyze_learned_kernels():
    """The first layer's kernels after training, and what they make of a new digit."""
    model = train_digits(epochs=4, lr=0.01, seed=0).model
    digit = Tensor(load_digits()[0][1409].reshape(1, 1, 8, 8))
    with no_grad():
        maps = relu(model.norm1(model.conv1(digit))).data[0]  # (8, 8, 8)
    fig, axes = plt.subplots(2, 9, figsize=(9, 2.6))
    axes[0, 0].imshow(digit.data[0, 0], cmap="gray")
    for column, kernel in enumerate(model.conv1.weight.data[:, 0], start=1):
        axes[0, column].imshow(kernel, cmap="gray")
        axes[1, column].imshow(maps[column - 1], cmap="gray")
    for ax in axes.flat:
        ax.axis("off")
    fig.suptitle("a new digit, eight learned kernels, and their feature maps below")
    alt = "A digit; eight kernels of 3 x 3 that training found; under each the map of its answers"
    show(fig, alt=alt)
    kernels = by_group(model.conv1.weight.data, 1)[0]  # (8, 9)
    left_to_right = kernels.reshape(8, 3, 3).sum(axis=1)
    top_to_bottom = kernels.reshape(8, 3, 3).sum(axis=2)
    signs = sum(((a[:, 0] * a[:, 2]) < 0).astype(int) for a in (left_to_right, top_to_bottom))
    print(f"{int((signs > 0).sum())} of 8 kernels set one side against the other: edges")


if __name__ == "__main__":
    analyze_learned_kernels()

# %% [markdown]
r"""
**Question.** A layer of 64 kernels (64, 3, 3) on 56 x 56 pixels, and a linear layer from 4096 to 4096, both for a single image: compare their numbers of weights and of multiply-adds. Which of the two gains
more from a larger batch, and why?
"""

# %% [markdown] nbgrader={"grade": true, "grade_id": "q-reuse", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
r"""
The convolution has 64 * 64 * 9 = 37 thousand weights and uses each at 3,136 places: 116 million multiply-adds. The linear layer has 17 million weights and uses each once: 17 million multiply-adds.
For one image the linear layer does a single multiply-add per weight that it fetches, 4 bytes, and so waits for memory; a batch of B uses each weight B times for the same bytes. The convolution reuses its few
weights, which stay in the cache, within one image already; a batch gives it little more than longer rows.
"""

# %% [markdown]
r"""
**To think about.** `MaxPool2d` refuses kernels of more than 256 places. Which line of yours is the reason, and what would lifting the limit cost?

Images are grids, and their neighbours are known in advance. Words are not. **Module 10** turns text into numbers.
"""
