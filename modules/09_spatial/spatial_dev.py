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
build the layer that looks through a small window instead and slides it everywhere, first as the formula says it, then as a machine likes it: several hundred times faster.

**Needs** `Tensor` (01), activations (02), layers (03), losses (04), autograd (05) | **Exports** `tinytorch.core.spatial` | **About** 6 hours | **Points** 90
"""

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
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

# %% nbgrader={"grade": false, "grade_id": "page-imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
import matplotlib.pyplot as plt  # this page only: plots and measurements are not exported

from tinytorch.core.activations import relu
from tinytorch.core.autograd import gradient_check, no_grad
from tinytorch.core.layers import Linear
from tinytorch.core.losses import cross_entropy
from tinytorch.core.tensor import keep_freed_memory, manual_seed
from tito.lab import bench, check_close, check_equal, check_raises, compare, load_digits, peak_bytes, show

# %% [markdown]
r"""
## A window that slides

A **kernel** is a small table of weights. Lay it on the image, multiply what lies on top of each other, add up: one output. Move it and repeat.

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
def output_size(size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """Return in how many places a window fits along one axis.

    Args:
        size: pixels along the axis.
        kernel: weights along the axis.
        stride, padding, dilation: see above; padding counts for each end.

    Raises:
        ShapeError: the window does not fit even once; the message names its reach and the padded size.

    TODO: count the places.
    APPROACH: 1. the reach of the dilated kernel  2. the padded size  3. refuse a reach that is too large  4. the first place, plus the moves that are left
    EXAMPLE:
        >>> output_size(32, kernel=5, stride=2, padding=2)
        16

    HINT: a last move that would leave the image is not made: `//`.
    """
    ### BEGIN SOLUTION
    reach = dilation * (kernel - 1) + 1
    padded = size + 2 * padding
    if reach > padded:
        raise ShapeError(f"a window that reaches over {reach} pixels does not fit on {padded} (with padding): shrink the kernel or pad more.")
    return (padded - reach) // stride + 1
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-output-size", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_output_size():
    """Plain, padded, with strides and gaps, and one that does not fit."""
    check_equal(lambda: output_size(5, 3), 3)
    check_equal(lambda: output_size(28, 5, padding=2), 28)
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

Write it with a loop for every index of the formula. Count first: how many multiplications does one layer of 32 kernels of shape (32, 3, 3) make on
64 images of 32 x 32? At ten million Python steps per second?
"""

# %% nbgrader={"grade": false, "grade_id": "conv2d-loops", "locked": false, "schema_version": 3, "solution": true, "task": false}
def conv2d_loops(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int = 1, padding: int = 0) -> np.ndarray:
    """Convolve images with kernels, by explicit loops.

    Args:
        x: images, shape (N, C, H, W).
        weight: kernels, shape (O, C, k, k).
        bias: one number for each kernel, shape (O,).
        stride, padding: the same down and right.

    Returns:
        float32 array of shape (N, O, Ho, Wo).

    TODO: the formula, where the window for output (h, w) begins at pixel (h * stride, w * stride) of the padded image.
    APPROACH: 1. np.pad axes 2 and 3  2. the sizes Ho and Wo  3. a loop for each of n, o, h, w  4. inside: start from the bias, add over c, i, j
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
    """The example of the text, padding on all sides, and the formula in one einsum."""
    x, w = np.float32([[[[1, 2, 3], [4, 5, 6], [7, 8, 9]]]]), np.float32([[[[1, 0], [0, 2]]]])
    check_close(lambda: conv2d_loops(x, w, np.float32([0])), [[[[11, 14], [20, 23]]]])
    expected = [[[[12, 14, 16, 10], [18, 21, 24, 13], [24, 30, 33, 16], [10, 17, 18, 19]]]]
    check_close(lambda: conv2d_loops(x, w, np.float32([10]), padding=1), expected)
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(0)
    x, w, b = rng.normal(size=(2, 3, 7, 6)), rng.normal(size=(4, 3, 3, 3)), rng.normal(size=4)
    windows_of_x = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(2, 3))
    expected = np.einsum("nchwij,ocij->nohw", windows_of_x, w) + b[:, None, None]
    check_close(lambda: conv2d_loops(x, w, b), expected, atol=1e-4)
    check_close(lambda: conv2d_loops(x, w, b, stride=2), expected[:, :, ::2, ::2], atol=1e-4)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_conv2d_loops()

# %% [markdown]
r"""
## Six strides

Look at the formula again: a sum over $(c, i, j)$ of something times a weight. If the pixels under every window stood in the column of a matrix,
the whole layer would be **one matrix product**, (O, Ckk) @ (Ckk, windows), and BLAS could do it.

To arrange that without loops, remember module 01: a shape is a promise to the reader, a stride a promise to the machine. The window at output $(h, w)$
sees, at its place $(i, j)$, pixel $(h s + i d,\; w s + j d)$. So six indices lead to one address, and *each moves it by a constant*. Six strides
therefore describe all windows at once, and no number is copied, although most pixels now appear nine times:

```
x of shape (C, N, H, W)   strides (c, n, row, column)

index        c      i        j         n      h        w
moves by     c   d * row  d * column   n   s * row  s * column
```

(Why is C before N? Patience; it is the trick of this page.) NumPy makes such views with `as_strided` and believes every number: a stride too large reads memory that
belongs to somebody else, or writes there, and the process dies. `strided` is the same with a look at the map first.
"""

# %% nbgrader={"grade": false, "grade_id": "window-class", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def pair(value: Any) -> tuple[int, int]:
    """Turn 3 into (3, 3) and leave (3, 5) alone.

    Raises:
        ValueError: neither a whole number nor two of them.
    """
    sizes = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(sizes) != 2 or not all(isinstance(size, int | np.integer) for size in sizes):
        raise ValueError(f"{value!r} must be a whole number or a pair of them, (down, right).")
    return sizes


@dataclass(frozen=True)
class Window:
    """How a window walks over an image; each field is a pair (down, right)."""

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)

    @classmethod
    def of(cls, kernel: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1) -> "Window":
        """Make one from whole numbers or pairs.

        Raises:
            ValueError: a size is too small.

        Example:
            >>> Window.of(3, padding=(1, 0)).padding
            (1, 0)
        """
        window = cls(*map(pair, (kernel, stride, padding, dilation)))
        if min(window.kernel + window.stride + window.dilation) < 1 or min(window.padding) < 0:
            raise ValueError(f"kernel, stride and dilation must be at least 1, padding at least 0: {window}.")
        return window

    def output(self, height: int, width: int) -> tuple[int, int]:
        """In how many places it fits, down and right.

        Raises:
            ShapeError: it does not fit.
        """
        return tuple(map(output_size, (height, width), self.kernel, self.stride, self.padding, self.dilation))


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
        raise ShapeError(f"a view of shape {tuple(shape)} with strides {tuple(strides)} leaves the memory of an array of shape {x.shape}: too many windows, or strides too large.")
    return as_strided(x, shape, strides)


def reach(shape: tuple[int, ...], strides: tuple[int, ...]) -> tuple[int, int]:
    """The lowest and the highest byte at which an element begins, counted from the first element."""
    ends = [(n - 1) * stride for n, stride in zip(shape, strides, strict=True)]
    return sum(end for end in ends if end < 0), sum(end for end in ends if end > 0)


# %% nbgrader={"grade": false, "grade_id": "windows", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def windows(x: np.ndarray, window: Window, grid: tuple[int, int]) -> np.ndarray:
    """View the pixels under every window, without copying any.

    Args:
        x: padded images, shape (C, N, H, W), lying in memory in any way.
        window: its kernel, stride and dilation; the padding has been done.
        grid: how many windows, down and right.

    Returns:
        A view of shape (C, kh, kw, N, *grid): [c, i, j, n, h, w] is the pixel that window (h, w) sees at its place (i, j).

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
    """One window by hand, then every window against a slice, for images that lie in memory in different ways."""
    x = np.arange(24, dtype=np.float32).reshape(1, 1, 4, 6)
    got = windows(x, Window.of(2), (3, 5))
    check_close(lambda: got[0, :, :, 0, 2, 3], x[0, 0, 2:4, 3:5])
    got = windows(x, Window.of(2, stride=2), (2, 3))
    check_close(lambda: got[0, :, :, 0, 1, 2], x[0, 0, 2:4, 4:6])
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(1)
    for x in (rng.normal(size=(3, 2, 9, 8)), rng.normal(size=(2, 3, 9, 8)).swapaxes(0, 1)):
        window = Window.of((2, 3), stride=(2, 1), dilation=(3, 2))
        expected = np.stack(
            [
                np.stack([x[:, :, 3 * i : 3 * i + 6 : 2, 2 * j : 2 * j + 4] for j in range(3)], 1)
                for i in range(2)
            ],
            1,
        )
        check_close(lambda: windows(x, window, (3, 4)), expected)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_windows()

# %% [markdown]
r"""
## From windows to one product

Copying this view into a matrix is called **im2col**. Three decisions make it fast, and each is a lesson about machines.

**The batch comes second.** The matrix has a row for each (c, i, j) and a column for each (n, h, w), so the product has a row for each kernel:
its natural layout is (O, N, Ho, Wo). The world expects (N, O, Ho, Wo). We return `y.swapaxes(0, 1)`: the right shape for the reader, the other order
in memory, no copy. The next convolution swaps back, for free. ReLU does not care, and batch norm even prefers it.

**A block at a time.** The matrix holds every pixel $k^2$ times: 75 MB for the layer that you counted above. Written to memory and read back it costs
more than it should, and nobody needs all of it at once. We make it for a few images, at most 4 MiB, multiply while it is in the cache, and reuse the buffer. The backward pass makes it again instead of keeping it.

**Whole rows.** With stride 1, window $w+1$ begins one pixel after window $w$, so a row of windows is a piece of the padded image as it lies in memory.
If we also let windows run over the right edge into the next row, *all* rows make one long piece, which the machine copies several times faster. The windows that run over
are nonsense, $d(k-1)$ of them per row, and `crop` drops them.

```
padded image     0  a  b  c  0 | 0  d  e  f  0 | ...        kernel 3, stride 1: 5 windows per row in memory,
windows            [0  a  b]                                3 of them real, 2 dropped:
                      [a  b  c]
                         [b  c  0]
                            [c  0 |0]   [0 |0  d]           <- over the edge
```
"""

# %% nbgrader={"grade": false, "grade_id": "columns-class", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
BLOCK = 1 << 20  # numbers in one block of columns: 4 MiB, which the caches of a core hold together


class Columns:
    """A workspace in which blocks of images become the columns of a matrix, and back.

    L below is the number of columns of a block: its images, times the windows on each, those over the edge included.

    Args:
        shape: of all the images, (C, N, H, W).
        window: how the window walks.
        groups: how many groups of channels there are.
        block: how many numbers a block of columns may hold; one image is the least.
    """

    def __init__(self, shape: tuple[int, ...], window: Window, groups: int, block: int = BLOCK) -> None:
        C, N, H, W = shape
        (top, left), Wp = window.padding, W + 2 * window.padding[1]
        self.window, self.groups = window, groups
        self.Ho, self.Wo = window.output(H, W)
        whole_rows = window.stride == (1, 1) and 2 * self.Wo >= Wp  # else too much would be dropped
        self.grid = (self.Ho, Wp if whole_rows else self.Wo)
        per_image = C * prod(window.kernel) * prod(self.grid)
        step = max(1, min(N, block // max(1, per_image)))  # images in a block
        self.blocks = [slice(start, min(start + step, N)) for start in range(0, N, step)]
        self.padded = np.zeros((C, step, H + 2 * top + 1, Wp), np.float32)  # one more row to run over into
        self.place = (..., slice(top, top + H), slice(left, left + W))  # of the image in its padding
        self.buffer = np.empty(step * per_image, np.float32)

    def im2col(self, images: np.ndarray) -> np.ndarray:
        """Make the columns of a block: (C, n, H, W) -> (groups, C/groups * kh * kw, L), in a buffer that the next call overwrites."""
        n = images.shape[1]
        padded = self.padded[:, :n]
        padded[self.place] = images
        view = windows(padded, self.window, self.grid)  # (C, kh, kw, n, *grid)
        cols = self.buffer[: view.size].reshape(view.shape)
        np.copyto(cols, view)
        return cols.reshape(self.groups, -1, n * prod(self.grid))

    def fold(self, dcols: np.ndarray) -> np.ndarray:
        """Bring gradients of a block's columns back to its images: (groups, C/groups * kh * kw, L) -> (C, n, H, W)."""
        shape = (len(self.padded), *self.window.kernel, -1, *self.grid)
        dcols = dcols.reshape(shape)
        n = dcols.shape[3]
        dx = col2im(dcols, self.window, self.padded[:, :n].shape)  # (C, n, Hp, Wp)
        return dx[self.place]

    def crop(self, product: np.ndarray) -> np.ndarray:
        """Read a product as images, without the windows over the edge: (groups, O/groups, L) -> (O, n, Ho, Wo)."""
        out = product.shape[0] * product.shape[1]
        return product.reshape(out, -1, *self.grid)[..., : self.Wo]

    def spread(self, g: np.ndarray) -> np.ndarray:
        """The reverse of crop, with zeros over the edge: (O, n, Ho, Wo) -> (groups, O/groups, L)."""
        wide = np.zeros((*g.shape[:2], *self.grid), np.float32)
        wide[..., : self.Wo] = g
        return wide.reshape(self.groups, g.shape[0] // self.groups, -1)


# %% [markdown]
r"""
What is left is the convolution itself. `kernels` has shape (groups, O/groups, C/groups * kh * kw), a matrix for each group (usually there is one), and `@`
multiplies group by group.
"""

# %% nbgrader={"grade": false, "grade_id": "conv2d-forward", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def conv2d_forward(x: np.ndarray, kernels: np.ndarray, bias: Any, columns: Columns) -> np.ndarray:
    """Convolve all images, block by block.

    Args:
        x: images, shape (C, N, H, W).
        kernels: shape (groups, O/groups, C/groups * kh * kw).
        bias: shape (O, 1, 1, 1), or the number 0.
        columns: the workspace; `columns.blocks` are slices of N.

    Returns:
        float32 array of shape (O, N, Ho, Wo).

    TODO: for each block of images, one product.
    APPROACH: 1. np.empty for the result  2. for each block: im2col of x[:, block]  3. kernels @ cols  4. crop, add the bias, store in y[:, block]
    EXAMPLE:
        >>> columns = Columns((1, 1, 3, 3), Window.of(2), groups=1)
        >>> conv2d_forward(np.ones((1, 1, 3, 3), np.float32), np.ones((1, 1, 4), np.float32), 0, columns)[0, 0]
        array([[4., 4.],
               [4., 4.]], dtype=float32)

    HINT: O is kernels.shape[0] * kernels.shape[1]. `np.add(a, b, out=y[:, block])` adds and stores in one pass.
    """
    ### BEGIN SOLUTION
    groups, per_group, _ = kernels.shape
    y = np.empty((groups * per_group, x.shape[1], columns.Ho, columns.Wo), np.float32)
    for block in columns.blocks:
        cols = columns.im2col(x[:, block])  # (groups, Ckk, L)
        product = kernels @ cols  # (groups, O/groups, Ckk) @ (groups, Ckk, L) -> (groups, O/groups, L)
        np.add(columns.crop(product), bias, out=y[:, block])  # (O, n, Ho, Wo)
    return y
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-conv2d-forward", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_conv2d_forward():
    """Against the sum of the formula, place by place, for one block and for several."""
    rng = np.random.default_rng(2)
    x, w, b = (
        rng.normal(size=s).astype(np.float32) for s in ((3, 4, 6, 5), (2, 3, 3, 3), (2, 1, 1, 1))
    )
    places = [(i, j) for i in range(3) for j in range(3)]
    expected = b + sum(
        np.einsum("cnhw,oc->onhw", x[:, :, i : i + 4, j : j + 3], w[:, :, i, j]) for i, j in places
    )
    check_close(
        lambda: conv2d_forward(x, w.reshape(1, 2, 27), b, Columns(x.shape, Window.of(3), 1)),
        expected,
    )
    ### BEGIN HIDDEN TESTS
    check_close(
        lambda: conv2d_forward(
            x, w.reshape(1, 2, 27), b, Columns(x.shape, Window.of(3), 1, block=1)
        ),
        expected,
    )
    check_close(
        lambda: conv2d_forward(
            x, w.reshape(1, 2, 27), 0, Columns(x.shape, Window.of(3, stride=2), 1)
        ),
        (expected - b)[:, :, ::2, ::2],
    )
    w = rng.normal(size=(6, 1, 3, 3)).astype(np.float32)
    expected = sum(
        np.einsum("gnhw,gp->gpnhw", x[:, :, i : i + 4, j : j + 3], w[:, 0, i, j].reshape(3, 2))
        for i, j in places
    )
    check_close(
        lambda: conv2d_forward(x, w.reshape(3, 2, 9), 0, Columns(x.shape, Window.of(3), 3)),
        expected.reshape(6, 4, 4, 3),
    )
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_conv2d_forward()

# %% [markdown]
r"""
## Backward: the same block, read from the other side

For one block the layer is $Y = K\,X$ with the kernels $K$ and the columns $X$. You know the rules of a product from module 05:

$$\frac{\partial L}{\partial K} = G\,X^\top \qquad \frac{\partial L}{\partial X} = K^\top G$$

The second is a gradient for the *columns*, in which every pixel stands up to $k^2$ times. A pixel acted through all of its copies, so its gradient is the sum of
theirs: **col2im** is im2col with `+=` the other way. Place by place, since windows overlap but no pixel stands twice at the same place $(i, j)$.
"""

# %% nbgrader={"grade": false, "grade_id": "product-gradients", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def kernels_gradient(g: np.ndarray, cols: np.ndarray) -> np.ndarray:
    """Gradient of kernels @ cols for the kernels: (groups, O/groups, L) and (groups, Ckk, L) -> (groups, O/groups, Ckk)."""
    ### BEGIN SOLUTION
    return (cols @ g.swapaxes(1, 2)).swapaxes(1, 2)  # (groups, Ckk, L) @ (groups, L, O/groups), transposed
    ### END SOLUTION


def columns_gradient(g: np.ndarray, kernels: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Gradient of kernels @ cols for cols: (groups, O/groups, L) and (groups, O/groups, Ckk) -> (groups, Ckk, L).

    Args:
        g: gradient of the product.
        kernels: the kernels.
        out: an array for the result, or None for a new one.

    TODO: both gradients, one product each, group by group.
    APPROACH: 1. read off the shapes what must be transposed  2. here: np.matmul(..., out=out)
    EXAMPLE:
        >>> kernels_gradient(np.ones((1, 2, 5)), np.ones((1, 9, 5))).shape
        (1, 2, 9)

    HINT: `swapaxes(1, 2)` transposes each group. `cols @ g.T`, transposed, equals `g @ cols.T`, and is up to a third faster here.
    """
    ### BEGIN SOLUTION
    return np.matmul(kernels.swapaxes(1, 2), g, out=out)  # (groups, Ckk, O/groups) @ (groups, O/groups, L)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-product-gradients", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_product_gradients():
    """Both gradients, for one group and for three."""
    rng = np.random.default_rng(3)
    g, kernels, cols = (
        rng.normal(size=(1, 2, 5)),
        rng.normal(size=(1, 2, 4)),
        rng.normal(size=(1, 4, 5)),
    )
    check_close(lambda: columns_gradient(g, kernels)[0], kernels[0].T @ g[0])
    check_close(lambda: kernels_gradient(g, cols)[0], g[0] @ cols[0].T)
    ### BEGIN HIDDEN TESTS
    g, kernels, cols = (
        rng.normal(size=(3, 2, 5)),
        rng.normal(size=(3, 2, 4)),
        rng.normal(size=(3, 4, 5)),
    )
    expected = np.einsum("gok,gol->gkl", kernels, g)
    check_close(lambda: columns_gradient(g, kernels), expected)
    expected = np.einsum("gol,gkl->gok", g, cols)
    check_close(lambda: kernels_gradient(g, cols), expected)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_product_gradients()

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
    APPROACH: 1. np.zeros(shape, np.float32)  2. view it through windows()  3. for each (i, j): add dcols[:, i, j] to view[:, i, j]
    EXAMPLE:
        >>> col2im(np.ones((1, 1, 2, 1, 1, 3)), Window.of((1, 2)), (1, 1, 1, 4))
        array([[[[1., 2., 2., 1.]]]], dtype=float32)

    HINT: `part = view[:, i, j]; part += ...` writes through the view. Adding the whole view at once would lose what overlaps.
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
    """Overlapping windows add up; gaps stay zero."""
    check_close(
        lambda: col2im(np.ones((1, 2, 2, 1, 2, 2), np.float32), Window.of(2), (1, 1, 3, 3)),
        [[[[1, 2, 1], [2, 4, 2], [1, 2, 1]]]],
    )
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(3)
    x, dcols = rng.normal(size=(2, 3, 7, 8)), rng.normal(size=(2, 2, 3, 3, 3, 4))
    window = Window.of((2, 3), stride=(2, 1), dilation=(2, 2))
    got = col2im(dcols, window, x.shape)
    seen = np.stack(
        [
            np.stack([x[:, :, 2 * i : 2 * i + 5 : 2, 2 * j : 2 * j + 4] for j in range(3)], 1)
            for i in range(2)
        ],
        1,
    )
    check_close(lambda: (x * got).sum(), (seen * dcols).sum(), rtol=1e-4)
    check_equal(lambda: str(got.dtype), "float32")
    check_close(
        lambda: col2im(np.ones((1, 1, 1, 1, 2, 2)), Window.of(1, stride=2), (1, 1, 4, 4))[0, 0],
        [[1, 0, 1, 0], [0] * 4, [1, 0, 1, 0], [0] * 4],
    )
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_col2im()

# %% [markdown]
r"""
Now both directions stand side by side in a `Function`. Notice what `ctx` keeps: x itself, which the ReLU before it keeps anyway, and no columns. And notice
the first layer of a network: its input is data, needs no gradient, and `needs_input_grad` saves a third of the work.

There is a second way back. Which outputs saw pixel (h, w)? With stride 1, a window of them: those at $(h - id,\, w - jd)$. So the gradient for x *is a convolution of g*, with the
kernels turned around (here is the mathematicians' flip after all), inputs and outputs exchanged, and $d(k-1) - p$ rings of zeros. One matrix of columns, made of g, then serves both
gradients: no scattering, and one im2col instead of two passes. It is the faster way when g has no more channels than x.
"""

# %% nbgrader={"grade": false, "grade_id": "convolution-layer", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Convolution2d(Function):
    """Convolution of (N, C, H, W) with (O, C/groups, kh, kw); the result lies in memory as (O, N, Ho, Wo)."""

    @staticmethod
    def forward(ctx: Context, x: np.ndarray, weight: np.ndarray, bias: Any, window: Window, groups: int) -> np.ndarray:
        x = x.swapaxes(0, 1)  # (C, N, H, W)
        kernels = weight.reshape(groups, len(weight) // groups, -1)  # (groups, O/groups, Ckk)
        shift = 0 if bias is None else bias.reshape(-1, 1, 1, 1)
        ctx.x, ctx.weight, ctx.window, ctx.groups = x, weight, window, groups
        return conv2d_forward(x, kernels, shift, Columns(x.shape, window, groups)).swapaxes(0, 1)

    @staticmethod
    def backward(ctx: Context, g: np.ndarray) -> tuple:
        """dK = G X^T and dX = col2im(K^T G), or both from the columns of g; the bias gets the sum over images and pixels."""
        needs_x, needs_weight, needs_bias, *_ = ctx.needs_input_grad
        g = g.swapaxes(0, 1)  # (O, N, Ho, Wo)
        mirror = mirrored(ctx.window) if needs_x and len(g) <= len(ctx.x) else None
        if mirror:
            dx, dweight = gradients_from_g(ctx.x, g, ctx.weight, mirror, ctx.groups)
        else:
            dx, dweight = gradients_from_x(ctx.x, g, ctx.weight, ctx.window, ctx.groups, needs_x, needs_weight)
        dbias = g.reshape(len(g), -1).sum(axis=1) if needs_bias else None
        return None if dx is None else dx.swapaxes(0, 1), dweight, dbias, None, None


def gradients_from_x(x: np.ndarray, g: np.ndarray, weight: np.ndarray, window: Window, groups: int, needs_x: bool, needs_weight: bool) -> tuple:
    """Gradients for x (C, N, H, W) and weight (O, C/groups, kh, kw), from the columns of x; None for what is not needed."""
    kernels = weight.reshape(groups, len(weight) // groups, -1)  # (groups, O/groups, Ckk)
    columns = Columns(x.shape, window, groups)
    dx = np.empty(x.shape, np.float32) if needs_x else None
    dkernels = np.zeros(kernels.shape, np.float32)
    for block in columns.blocks:
        wide = columns.spread(g[:, block])  # (groups, O/groups, L)
        cols = columns.im2col(x[:, block])  # (groups, Ckk, L)
        if needs_weight:
            dkernels += kernels_gradient(wide, cols)
        if needs_x:
            dx[:, block] = columns.fold(columns_gradient(wide, kernels, out=cols))
    return dx, dkernels.reshape(weight.shape)


def gradients_from_g(x: np.ndarray, g: np.ndarray, weight: np.ndarray, mirror: Window, groups: int) -> tuple[np.ndarray, np.ndarray]:
    """The same for stride 1, from the columns of g (O, N, Ho, Wo): dX is a convolution of g, in which x plays the part of the gradient."""
    out, per_group, kh, kw = weight.shape
    turned = weight[:, :, ::-1, ::-1].reshape(groups, out // groups, per_group, kh, kw).swapaxes(1, 2)  # (groups, C/groups, O/groups, kh, kw)
    kernels = turned.reshape(groups, per_group, -1)
    columns = Columns(g.shape, mirror, groups)
    dx, dkernels = np.empty(x.shape, np.float32), np.zeros(kernels.shape, np.float32)
    for block in columns.blocks:
        cols = columns.im2col(g[:, block])  # (groups, Okk, L)
        dx[:, block] = columns.crop(kernels @ cols)
        dkernels += kernels_gradient(columns.spread(x[:, block]), cols)
    return dx, dkernels.reshape(turned.shape).swapaxes(1, 2).reshape(weight.shape)[:, :, ::-1, ::-1]


def mirrored(window: Window) -> Window | None:
    """The window with which g is convolved to give the gradient for x; None if there is none.

    Example:
        >>> mirrored(Window.of(5, padding=1)).padding
        (3, 3)
    """
    padding = tuple(d * (k - 1) - p for d, k, p in zip(window.dilation, window.kernel, window.padding, strict=True))
    return Window(window.kernel, (1, 1), padding, window.dilation) if window.stride == (1, 1) and min(padding) >= 0 else None


def check_images(name: str, shape: tuple[int, ...], channels: int | None = None) -> None:
    """Raise ShapeError unless `shape` is (N, C, H, W), with C = `channels` if that is given."""
    if len(shape) != 4:
        raise ShapeError(f"{name}: shape {shape} is not (N, C, H, W): a single image needs unsqueeze(0), a grey one a channel axis.")
    if channels is not None and shape[1] != channels:
        raise ShapeError(f"{name}: images of shape {shape} have {shape[1]} channels, expected {channels}.")


def conv2d(x: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1) -> Tensor:
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
        raise ShapeError(f"conv2d: bias of shape {bias.shape} for {out} kernels: expected ({out},).")
    window = Window.of(kernel, stride, padding, dilation)
    window.output(*x.shape[2:])  # raises when the window does not fit
    return Convolution2d.apply(x, weight, bias, window, groups)


class Conv2d(Module):
    """Learned kernels that slide over images; weight and bias start uniform in +-1/sqrt(C/groups * kh * kw), as in PyTorch.

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

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1, bias: bool = True) -> None:
        if min(in_channels, out_channels, groups) < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(f"Conv2d: {groups} groups must divide {in_channels} input and {out_channels} output channels, all at least 1.")
        window = Window.of(kernel_size, stride, padding, dilation)
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size, self.stride, self.padding, self.dilation = window.kernel, window.stride, window.padding, window.dilation
        shape = (out_channels, in_channels // groups, *window.kernel)
        bound = 1 / sqrt(prod(shape[1:]))
        self.weight = Parameter(generator().uniform(-bound, bound, size=shape))
        self.bias = Parameter(generator().uniform(-bound, bound, size=out_channels)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, O, Ho, Wo)."""
        return conv2d(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)

    def extra_repr(self) -> str:
        return f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


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
    for groups, options in [(1, {}), (1, {"stride": (2, 1), "padding": (1, 2)}), (2, {"dilation": 2, "padding": 1}), (4, {"stride": 2})]:
        w, b = rng.normal(size=(4, 4 // groups, 3, 2)), rng.normal(size=4)
        gradient_check(lambda x, w, b, groups=groups, options=options: conv2d(x, w, b, groups=groups, **options), x, w, b)


if __name__ == "__main__":
    check_convolution_gradients()

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

How to program it? `reshape` to (..., Ho, 2, Wo, 2) and `max` over two axes is short, works for one kind of window only, and is slow: a
reduction over two elements is nearly all overhead. You have a better view: `view[:, i, j]` is *everybody's* pixel $(i, j)$, one large array. Walk over the
few places, and keep the best so far, and the number of the place where it stood.
"""

# %% nbgrader={"grade": false, "grade_id": "max-pool-forward", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def max_pool_forward(view: np.ndarray, find_winner: bool = True) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the largest pixel under each window, and at which place of the window it stood.

    Args:
        view: shape (C, kh, kw, N, Ho, Wo), as windows() gives it.
        find_winner: False when no gradient will be asked for; the winners are None then, which saves time.

    Returns:
        The maxima, float32, and the winners' places i * kw + j, uint8; both of shape (C, N, Ho, Wo).

    TODO: one pass over the places.
    APPROACH: 1. best = a copy of place (0, 0), winner = zeros  2. for each other place, in order: copy it, and compare  3. where it is larger: winner = its number  4. best = the larger
    EXAMPLE:
        >>> best, winner = max_pool_forward(windows(np.float32([[[[1, 3], [2, 0]]]]), Window.of(2), (1, 1)))
        >>> best.item(), winner.item()
        (3.0, 1)

    HINT: numbers grow along the walk, so np.maximum(winner, larger * np.uint8(number)) is the update, with no slow boolean index.
    """
    ### BEGIN SOLUTION
    best = view[:, 0, 0].copy()  # (C, N, Ho, Wo)
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
    """The example of the text with its tie, and windows that overlap."""
    x = np.float32([[[[1, 3, 2, 0], [2, 0, 1, 1], [5, 0, 0, 7], [5, 1, 6, 0]]]])
    best, winner = max_pool_forward(windows(x, Window.of(2, stride=2), (2, 2)))
    check_close(lambda: best, [[[[3, 2], [5, 7]]]])
    check_close(lambda: winner, [[[[1, 0], [0, 1]]]])
    ### BEGIN HIDDEN TESTS
    x = np.random.default_rng(5).integers(-9, -1, size=(2, 3, 7, 8)).astype(np.float32)
    window = Window.of((2, 3), stride=(1, 2), dilation=(2, 1))
    best, winner = max_pool_forward(windows(x, window, (5, 3)))
    seen = np.stack([x[:, :, 2 * i : 2 * i + 5, j : j + 5 : 2] for i in range(2) for j in range(3)])
    check_close(lambda: best, seen.max(axis=0))
    quick, nothing = max_pool_forward(windows(x, window, (5, 3)), find_winner=False)
    check_close(lambda: quick, best)
    check_equal(lambda: nothing is None, True)
    check_close(lambda: winner, seen.argmax(axis=0))
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
def max_pool_backward(g: np.ndarray, first: np.ndarray, offsets: np.ndarray, winner: np.ndarray, size: int) -> np.ndarray:
    """Send each gradient to the pixel that won.

    Args:
        g: gradients of the maxima, any shape.
        first: for each maximum, the position of its window's first pixel in the flat image, same shape as g.
        offsets: for each place of a window, how far it lies behind the first pixel, shape (kh * kw,).
        winner: the place that won, uint8, same shape as g.
        size: how many pixels the flat image has.

    Returns:
        float32 array of shape (size,).

    TODO: zeros, with every g added at its winner.
    APPROACH: 1. look up the offset of each winner  2. add `first`  3. np.add.at
    EXAMPLE:
        >>> max_pool_backward(np.float32([5, 7]), np.array([0, 1]), np.array([0, 1]), np.uint8([1, 0]), 3)
        array([ 0., 12.,  0.], dtype=float32)

    HINT: `dx[positions] += g` adds only once where a position occurs twice; np.add.at(dx, positions, g) does not forget.
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
    ### BEGIN HIDDEN TESTS
    check_close(
        lambda: max_pool_backward(
            np.float32([1, 2, 4]), np.array([0, 1, 2]), np.array([0, 1, 2]), np.uint8([2, 1, 0]), 5
        ),
        [0, 0, 7, 0, 0],
    )
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
    """Mean over the kh * kw places: (C, kh, kw, N, Ho, Wo) -> (C, N, Ho, Wo)."""
    ### BEGIN SOLUTION
    total = view[:, 0, 0].copy()
    for i, j in list(np.ndindex(view.shape[1:3]))[1:]:
        total += view[:, i, j]
    return total / np.float32(view.shape[1] * view.shape[2])
    ### END SOLUTION


def avg_pool_backward(g: np.ndarray, kernel: tuple[int, int]) -> np.ndarray:
    """Gradient for every pixel under every window: (C, N, Ho, Wo) -> (C, kh, kw, N, Ho, Wo), ready for col2im.

    TODO: both directions of the mean.
    APPROACH: 1. forward: add up the places, divide by their number  2. backward: an equal share of g for each place, as a view
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
    check_close(
        lambda: avg_pool_forward(windows(x, Window.of(2, stride=2), (2, 2))),
        [[[[1.5, 1], [2.75, 3.25]]]],
    )
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(6)
    view, g = (
        rng.normal(size=(2, 3, 2, 4, 1, 5)).astype(np.float32),
        rng.normal(size=(2, 4, 1, 5)).astype(np.float32),
    )
    check_close(lambda: avg_pool_forward(view), view.mean(axis=(1, 2)))
    expected = np.zeros(view.shape) + g[:, None, None] / 6
    check_close(lambda: avg_pool_backward(g, (3, 2)), expected)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_avg_pool()


# %% nbgrader={"grade": false, "grade_id": "pooling-layers", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def pad_images(x: np.ndarray, window: Window, value: float) -> np.ndarray:
    """Put rings of `value` around images (C, N, H, W); without padding, the images themselves."""
    (top, left), (C, N, H, W) = window.padding, x.shape
    if not top and not left:
        return x
    padded = np.full((C, N, H + 2 * top, W + 2 * left), value, np.float32)
    padded[:, :, top : top + H, left : left + W] = x
    return padded


def unpad(x: np.ndarray, window: Window) -> np.ndarray:
    """Take the rings off again, as a view."""
    top, left = window.padding
    return x[:, :, top : x.shape[2] - top, left : x.shape[3] - left]


class MaxPooling2d(Function):
    """Maximum under each window; padding counts as minus infinity and never wins."""

    @staticmethod
    def forward(ctx: Context, x: np.ndarray, window: Window) -> np.ndarray:
        padded = pad_images(x.swapaxes(0, 1), window, -np.inf)  # (C, N, Hp, Wp)
        best, winner = max_pool_forward(windows(padded, window, window.output(*x.shape[2:])), ctx.needs_input_grad[0])
        ctx.winner, ctx.shape, ctx.window = winner, padded.shape, window
        return best.swapaxes(0, 1)  # (N, C, Ho, Wo)

    @staticmethod
    def backward(ctx: Context, g: np.ndarray) -> tuple:
        """The gradient goes to the winner."""
        (C, N, H, W), window, g = ctx.shape, ctx.window, g.swapaxes(0, 1)
        images, rows, columns = (np.arange(n) for n in (C * N, *g.shape[2:]))
        first = images[:, None, None] * (H * W) + rows[:, None] * (window.stride[0] * W) + columns * window.stride[1]
        down, right = (gap * np.arange(k) for gap, k in zip(window.dilation, window.kernel, strict=True))
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


def pool_window(name: str, shape: tuple[int, ...], kernel_size: Any, stride: Any, padding: Any, dilation: Any = 1) -> Window:
    """Make the window of a pooling, and check that it fits on images of shape `shape`."""
    check_images(name, shape)
    window = Window.of(kernel_size, kernel_size if stride is None else stride, padding, dilation)
    if any(2 * p > k for p, k in zip(window.padding, window.kernel, strict=True)):
        raise ValueError(f"{name}: padding {window.padding} is more than half of kernel {window.kernel}: some windows would see no pixel.")
    if prod(window.kernel) > 256:
        raise ValueError(f"{name}: kernel {window.kernel} has more than 256 places.")
    window.output(*shape[2:])
    return window


def max_pool2d(x: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1) -> Tensor:
    """Largest pixel under each window: (N, C, H, W) -> (N, C, Ho, Wo); the stride is the kernel's size unless given.

    Raises:
        ShapeError: x is not (N, C, H, W), or the window does not fit.
        ValueError: the padding is more than half of the kernel.

    Example:
        >>> max_pool2d(Tensor([[[[1, 3], [2, 0]]]]), 2).item()
        3.0
    """
    return MaxPooling2d.apply(x, pool_window("max_pool2d", x.shape, kernel_size, stride, padding, dilation))


def avg_pool2d(x: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0) -> Tensor:
    """Mean of the pixels under each window, padding included: (N, C, H, W) -> (N, C, Ho, Wo).

    Raises:
        ShapeError, ValueError: as max_pool2d.

    Example:
        >>> avg_pool2d(Tensor([[[[1, 3], [2, 0]]]]), 2).item()
        1.5
    """
    return AveragePooling2d.apply(x, pool_window("avg_pool2d", x.shape, kernel_size, stride, padding))


def adaptive_avg_pool2d(x: Tensor, output_size: Any) -> Tensor:
    """Mean over a grid of `output_size` rectangles that cover the image, whatever its size: (N, C, H, W) -> (N, C, *output_size).

    Rectangle i covers rows floor(i H / h) to ceil((i + 1) H / h), as in PyTorch. A mean over a rectangle is a mean over rows of means over
    columns, so two matrix products do it.

    Raises:
        ShapeError: x is not (N, C, H, W), or has no pixels.

    Example:
        >>> adaptive_avg_pool2d(Tensor([[[[1, 3], [2, 0]]]]), 1).item()
        1.5
    """
    check_images("adaptive_avg_pool2d", x.shape)
    if not prod(x.shape[2:]):
        raise ShapeError(f"adaptive_avg_pool2d: images of shape {x.shape} have no pixels.")
    down, right = (Tensor(averages(n, places)) for n, places in zip(x.shape[2:], pair(output_size), strict=True))
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

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1) -> None:
        self.kernel_size, self.stride, self.padding, self.dilation = kernel_size, stride, padding, dilation

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

    This is where the order (C, N, H, W) in memory is paid for: one copy, of the smallest image of the network.

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

Deep stacks of layers drift: a channel that grows a little in each layer explodes after twenty. **Batch normalisation** (Ioffe and Szegedy, 2015) brings every channel
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


def normalise(rows: np.ndarray, mean: np.ndarray, var: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float) -> np.ndarray:
    """Normalise each channel with the statistics given, then scale and shift it.

    Args:
        rows: shape (C, M).
        mean, var, weight, bias: shape (C,).
        eps: added to the variance, so that a constant channel divides by something.

    Returns:
        float32 array of shape (C, M).

    TODO: the statistics of each channel, and the formula.
    APPROACH: 1. sums run along axis 1  2. subtract the mean before you square (module 01 knows why)  3. weight / sqrt(var + eps), one number per channel  4. y
    EXAMPLE:
        >>> one, zero = np.float32([1]), np.float32([0])
        >>> normalise(np.float32([[1, 3]]), np.float32([2]), one, one, zero, eps=0)
        array([[-1.,  1.]], dtype=float32)

    HINT: `mean[:, None]` is a column (C, 1) that broadcasts along the rows. `y *= ...` saves a temporary.
    """
    ### BEGIN SOLUTION
    y = rows - mean[:, None]
    y *= (weight / np.sqrt(var + np.float32(eps)))[:, None]
    y += bias[:, None]
    return y
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-batch-norm-forward", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_batch_norm_forward():
    """Statistics per channel, and the formula."""
    rows = np.float32([[1, 3, 5, 7], [2, 2, 2, 2]])
    mean, var = batch_statistics(rows)
    check_close(lambda: mean, [4, 2])
    check_close(lambda: var, [5, 0])
    check_close(
        lambda: normalise(
            rows,
            np.float32([4, 2]),
            np.float32([5, 0]),
            np.float32([1, 1]),
            np.float32([0, 10]),
            eps=1e-5,
        ),
        [np.float32([-3, -1, 1, 3]) / np.sqrt(5), [10] * 4],
        atol=1e-4,
    )
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(7)
    rows = rng.normal(size=(3, 500)).astype(np.float32)
    _, var = batch_statistics(rows + np.float32(1e4))
    check_close(lambda: var, rows.astype(np.float64).var(axis=1), rtol=0.01)
    mean, var, weight, bias = (rng.uniform(0.5, 2, size=3).astype(np.float32) for _ in range(4))
    got = normalise(rows, mean, var, weight, bias, eps=0.3)
    expected = ((rows.T - mean) / np.sqrt(var + 0.3) * weight + bias).T
    check_close(lambda: got, expected)
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
def update_running(running_mean: np.ndarray, running_var: np.ndarray, mean: np.ndarray, var: np.ndarray, count: int, momentum: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the running statistics, moved towards those of a batch.

    Args:
        running_mean, running_var: so far, shape (C,).
        mean, var: of the batch, shape (C,); var is the population variance.
        count: M, how many numbers of each channel the batch had; at least 2.
        momentum: share of the new value.

    Returns:
        The new running mean and variance, two arrays of shape (C,).

    TODO: the formula, for both.
    APPROACH: 1. the unbiased variance  2. mix old and new
    EXAMPLE:
        >>> update_running(np.zeros(1), np.ones(1), np.array([10.0]), np.array([4.0]), count=2, momentum=0.1)
        (array([1.]), array([1.7]))

    HINT: 0.9 * 1 + 0.1 * (4 * 2 / 1) = 1.7
    """
    ### BEGIN SOLUTION
    unbiased = var * (count / (count - 1))
    return (1 - momentum) * running_mean + momentum * mean, (1 - momentum) * running_var + momentum * unbiased
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-running-statistics", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_running_statistics():
    """One step with PyTorch's momentum."""
    mean, var = update_running(
        np.zeros(2), np.ones(2), np.array([10.0, -5.0]), np.array([4.0, 1.0]), count=2, momentum=0.1
    )
    check_close(lambda: mean, [1.0, -0.5])
    check_close(lambda: var, [1.7, 1.1])
    ### BEGIN HIDDEN TESTS
    old = np.array([3.0])
    mean, var = update_running(
        old, np.array([2.0]), np.array([7.0]), np.array([6.0]), count=4, momentum=0.25
    )
    check_close(lambda: np.append(mean, var), [4.0, 3.5])
    check_close(lambda: old, [3.0])
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
def batch_norm_backward(g: np.ndarray, normal: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the gradients of a batch norm in training, for its input, its weight and its bias.

    Args:
        g: gradient of the output, shape (C, M).
        normal: the normalised input, shape (C, M).
        scale: weight / sqrt(var + eps), shape (C,).

    Returns:
        Arrays of shapes (C, M), (C,), (C,).

    TODO: the three formulas.
    APPROACH: 1. the two sums  2. divided by M they are the means of g and of g * normal  3. gamma and the root, both in `scale`, stand outside
    EXAMPLE:
        >>> dx, dweight, dbias = batch_norm_backward(np.float32([[1, 1]]), np.float32([[-1, 1]]), np.float32([1]))
        >>> dx, dweight, dbias
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
    """A gradient that only shifts or stretches is removed; the formula on random rows."""
    normal, scale = np.float32([[-1, 1, -1, 1]]), np.float32([3])
    g = np.float32([[2, 4, 2, 4]])  # 3 + normal: a shift and a stretch
    dx, dweight, dbias = batch_norm_backward(g, normal, scale)
    check_close(lambda: dx, [[0, 0, 0, 0]])
    check_close(lambda: [dweight[0], dbias[0]], [4, 12])
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(8)
    normal, g, scale = rng.normal(size=(3, 40)), rng.normal(size=(3, 40)), rng.uniform(1, 2, size=3)
    normal = (normal - normal.mean(1, keepdims=True)) / normal.std(1, keepdims=True)
    dx, dweight, dbias = batch_norm_backward(g, normal, scale)
    expected = scale[:, None] * (
        g - g.mean(1, keepdims=True) - normal * (g * normal).mean(1, keepdims=True)
    )
    check_close(lambda: dx, expected)
    check_close(lambda: dweight, (g * normal).sum(1))
    check_close(lambda: dbias, g.sum(1))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_batch_norm_backward()


# %% nbgrader={"grade": false, "grade_id": "batch-norm-layer", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class BatchNormalisation(Function):
    """Batch norm of (N, C, ...) with statistics that are either the batch's own (training) or constants."""

    @staticmethod
    def forward(ctx: Context, x: np.ndarray, weight: Any, bias: Any, mean: np.ndarray, var: np.ndarray, eps: float, training: bool) -> np.ndarray:
        C = x.shape[1]
        swapped = x.swapaxes(0, 1)  # (C, N, ...)
        weight = np.ones(C, np.float32) if weight is None else weight
        bias = np.zeros(C, np.float32) if bias is None else bias
        rows = swapped.reshape(C, -1)  # (C, M)
        ctx.rows, ctx.mean, ctx.deviation, ctx.weight, ctx.training = rows, mean, np.sqrt(var + np.float32(eps)), weight, training
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
            dx, dweight, dbias = rows * scale[:, None], np.einsum("cm,cm->c", rows, normal), rows.sum(axis=1)
        return dx.reshape(swapped.shape).swapaxes(0, 1), dweight, dbias, None, None, None, None


def batch_norm(x: Tensor, running_mean: Any, running_var: Any, weight: Any = None, bias: Any = None, training: bool = False, momentum: float = 0.1, eps: float = 1e-5) -> Tensor:
    """Normalise each channel of x, with the batch's statistics in training and the running ones otherwise.

    Args:
        x: shape (N, C, H, W) (or any (N, C, ...)).
        running_mean, running_var: float32 arrays of shape (C,); training moves them, in place. None: the batch's are used and none kept.
        weight, bias: Tensors of shape (C,), or None for 1 and 0.
        training: which statistics to use.
        momentum: share of the batch in the new running statistics.
        eps: added to the variance.

    Raises:
        ShapeError: fewer than two axes, another number of channels, or one value per channel in training; nothing has changed then.

    Example:
        >>> batch_norm(Tensor([[1], [3]]), None, None, training=True, eps=0).data
        array([[-1.],
               [ 1.]], dtype=float32)
    """
    if x.ndim < 2:
        raise ShapeError(f"batch_norm: shape {x.shape} is not (N, C, ...).")
    N, C, *rest = x.shape
    for name, value in (("running_mean", running_mean), ("running_var", running_var), ("weight", weight), ("bias", bias)):
        if value is not None and value.shape != (C,):
            raise ShapeError(f"batch_norm: x of shape {x.shape} has {C} channels, {name} has shape {value.shape}.")
    own = training or running_mean is None
    count = N * prod(rest)
    if not own:
        return BatchNormalisation.apply(x, weight, bias, running_mean.copy(), running_var.copy(), eps, False)
    if count < 2:
        raise ShapeError(f"batch_norm: shape {x.shape} has {count} value per channel, and a variance needs two: use a larger batch, or eval().")
    mean, var = batch_statistics(x.detach().data.swapaxes(0, 1).reshape(C, -1))
    if training and running_mean is not None:
        running_mean[...], running_var[...] = update_running(running_mean, running_var, mean, var, count, momentum)
    return BatchNormalisation.apply(x, weight, bias, mean, var, eps, True)


class BatchNorm2d(Module):
    """Batch norm for images: weight starts at 1, bias at 0; running_mean and running_var are buffers, part of the state.

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

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True) -> None:
        if num_features < 1 or eps < 0 or not 0 <= momentum <= 1:
            raise ValueError(f"BatchNorm2d({num_features}, eps={eps}, momentum={momentum}): features at least 1, eps at least 0, momentum in [0, 1].")
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.weight = Parameter(np.ones(num_features)) if affine else None
        self.bias = Parameter(np.zeros(num_features)) if affine else None
        self.register_buffer("running_mean", np.zeros(num_features))
        self.register_buffer("running_var", np.ones(num_features))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        check_images("BatchNorm2d", x.shape, self.num_features)
        return batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, self.training, self.momentum, self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"


# %%
def check_layer_gradients():
    """Slopes of the poolings (on numbers far apart, away from ties) and of batch norm in both modes."""
    rng = np.random.default_rng(9)
    x = rng.permutation(2 * 3 * 6 * 5).reshape(2, 3, 6, 5) / 10
    gradient_check(lambda x: max_pool2d(x, 3, stride=1, padding=1), x)
    gradient_check(lambda x: avg_pool2d(x, (3, 2), stride=2, padding=1), x)
    gradient_check(lambda x: adaptive_avg_pool2d(x, (4, 2)), x)
    x, w, b = rng.normal(size=(3, 2, 2, 4)), rng.uniform(0.5, 2, size=2), rng.normal(size=2)
    mean, var = np.float32([0.5, -1]), np.float32([2, 0.5])
    for training in (True, False):
        gradient_check(lambda x, w, b, training=training: batch_norm(x, mean.copy(), var.copy(), w, b, training), x, w, b)


if __name__ == "__main__":
    check_layer_gradients()

# %% [markdown]
r"""
## Measure: where does the time go?

Write down three guesses. How many times faster than your loops is im2col with one product? What share of a convolution's time is the product itself, the rest being copies? And
what does it cost to make the columns of *all* images first?
"""


# %% nbgrader={"grade": false, "grade_id": "layer-of", "locked": true, "schema_version": 3, "solution": false, "task": false}
def layer_of(n, size, c, o):
    """Arrays for a 3 x 3 convolution with padding 1: n images of c channels, o kernels."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(c, n, size, size)).astype(np.float32)
    kernels = rng.normal(size=(1, o, c * 9)).astype(np.float32)
    return x, kernels, Window.of(3, padding=1)


def analyze_loops():
    """Multiply-adds per second of the loops and of one product, on one small image and on a layer of 64 larger ones."""
    x, kernels, window = layer_of(1, 8, 4, 8)
    images, weight = x.swapaxes(0, 1), kernels.reshape(8, 4, 3, 3)
    loops = bench(conv2d_loops, images, weight, np.zeros(8, np.float32), 1, 1, samples=3).low_ms
    fast = bench(lambda: conv2d_forward(x, kernels, 0, Columns(x.shape, window, 1))).low_ms
    work = 64 * 32 * 32 * 32 * 32 * 9  # multiply-adds of the layer that you counted: images, pixels, C, O, places
    minutes = loops / (8 * 8 * 4 * 8 * 9) * work / 6e4
    print(f"8 x 8 pixels, 4 -> 8 channels: loops {loops:.1f} ms, one product {fast:.3f} ms: {loops / fast:,.0f} times faster")
    print(f"the layer of {work / 1e9:.1f} billion multiply-adds would keep the loops busy for {minutes:.0f} minutes")


if __name__ == "__main__":
    analyze_loops()


# %%
def analyze_blocks():
    """The layer 32 -> 32 on 64 images of 32 x 32, with blocks of columns from 1 image to all: milliseconds and peak memory."""
    keep_freed_memory()
    x, kernels, window = layer_of(64, 32, 32, 32)
    per_image = 32 * 9 * 32 * 34  # numbers
    counts = [1, 2, 4, 8, 16, 32, 64]

    def forward(count):
        return conv2d_forward(x, kernels, 0, Columns(x.shape, window, 1, block=count * per_image))

    time = [timing.low_ms for timing in compare({n: lambda n=n: forward(n) for n in counts}, samples=7).values()]
    peak = [peak_bytes(forward, n) / 2**20 for n in counts]
    columns = Columns(x.shape, window, 1)
    cols = columns.im2col(x[:, columns.blocks[0]])
    rounds = len(columns.blocks)
    parts = {"product": lambda: kernels @ cols, "copies": lambda: columns.im2col(x[:, columns.blocks[0]])}
    product, copies = (timing.low_ms * rounds for timing in compare(parts, samples=7).values())
    work = 64 * 32 * 32 * 32 * 32 * 9
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3))
    left.semilogx(counts, time, "o-", base=2)
    left.axhline(product, linestyle="--", color="grey", label="products alone")
    left.set(xlabel="images in a block", ylabel="milliseconds", title="Time of one convolution", ylim=(0, None))
    left.legend()
    right.loglog(counts, peak, "s-", base=2)
    right.set(xlabel="images in a block", ylabel="peak memory [MiB]", title="Memory of one convolution")
    print(f"products {product:.1f} ms ({2 * work / product / 1e6:.0f} GFLOP/s), im2col {copies:.1f} ms, whole layer {time[1]:.1f} ms: the products are {product / time[1]:.0%} of it")
    print(f"peak memory: {peak[0]:.1f} MiB with one image a block, {peak[-1]:.0f} MiB with all 64")
    show(fig, alt="Left: milliseconds of a convolution against images per block, with the products alone as a line below. Right: peak memory grows with the block, from the size of the result to ten times it")


if __name__ == "__main__":
    analyze_blocks()


# %%
def analyze_order():
    """Conv, batch norm, ReLU, pool, conv: with the batch second in memory, and copied to be first after every layer."""
    keep_freed_memory()
    manual_seed(0)
    first, norm, second = Conv2d(3, 32, 3, padding=1), BatchNorm2d(32), Conv2d(32, 32, 3, padding=1)
    x = Tensor(np.random.default_rng(0).normal(size=(32, 3, 32, 32)))

    def run(order):
        with no_grad():
            h = order(relu(order(norm(order(first(x))))))
            order(second(order(max_pool2d(h, 2))))

    def copied(t):
        return Tensor(np.ascontiguousarray(t.data))

    times = compare({"second": lambda: run(lambda t: t), "first": lambda: run(copied)}, samples=25)
    print(f"batch second in memory {times['second'].low_ms:.1f} ms; batch first after every layer {times['first'].low_ms:.1f} ms")
    print(f"strides of the first result: {first(x).data.strides} bytes for shape {first(x).shape}")


if __name__ == "__main__":
    analyze_order()

# %% [markdown]
r"""
The loops pay for Python at every multiplication; the product pays once. What the product cannot escape is its arithmetic: two operations per multiply-add, and the library's best
rate, so the dashed line is the floor for *any* program that multiplies as often. (PyTorch's convolution makes no columns at all: it runs through the image with a kernel written for
just this loop, and reaches a higher rate than a matrix product of only 32 rows can. Winograd's trick multiplies less often: Lavin and Gray, *Fast algorithms for convolutional neural networks*, 2016.)

Between the floor and your curve lie the copies: im2col writes each pixel nine times and the product reads it nine times. Count bytes: 0.6 billion multiply-adds on 80 MB of columns
are 15 operations per byte. That is enough for a cache and not for main memory, and so the blocks. Their true gain is in memory, ten times less at the peak, and it is what lets
the backward pass make the columns again instead of keeping them: **recomputing is cheaper than remembering**, when remembering goes through a narrow door.

Against PyTorch on one thread of the machine this was written on: the forward pass of a network with this layer takes 1.05 of its time, of which the products alone are two thirds; a training step takes 1.2, in half
of the memory. A small LeNet takes 0.83 and 0.96, thanks to pooling, where walking over places beats PyTorch four times.
"""

# %% [markdown]
r"""
## The whole module

A small network reads the 8 x 8 digits: two convolutions and about 1,500 weights, fewer than the smallest MLP of module 05. Guess how many of 397 new digits it gets wrong after four
passes over the others.
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


def train_digits(epochs: int, lr: float, seed: int) -> tuple[list[float], float]:
    """Train on the first 1,400 digits in batches of 50; return each step's loss and the share of the others read correctly."""
    manual_seed(seed)
    pixels, labels = load_digits()
    images, model, rng, losses = pixels.reshape(-1, 1, 8, 8), DigitsCNN(), np.random.default_rng(seed), []
    for _ in range(epochs):
        for batch in rng.permutation(1400).reshape(-1, 50):
            loss = cross_entropy(model(Tensor(images[batch])), labels[batch])
            loss.backward()
            losses.append(loss.item())
            for parameter in model.parameters():
                parameter.data -= np.float32(lr) * parameter.grad
                parameter.zero_grad()
    model.eval()
    with no_grad():
        guesses = model(Tensor(images[1400:])).argmax(axis=1)
    return losses, float((guesses == labels[1400:]).mean())


# %% nbgrader={"grade": true, "grade_id": "test-module-spatial", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_module():
    """The layers agree with the loops and with measured slopes, and a small network of them reads real digits."""
    rng = np.random.default_rng(10)
    x, w, b = rng.normal(size=(2, 3, 6, 5)), rng.normal(size=(4, 3, 3, 3)), rng.normal(size=4)
    expected = conv2d_loops(x, w, b, stride=2, padding=1)
    check_close(
        lambda: conv2d(Tensor(x), Tensor(w), Tensor(b), stride=2, padding=1).data,
        expected,
        atol=1e-4,
    )
    gradient_check(lambda x, w, b: conv2d(x, w, b, padding=1), x, w, b)
    losses, right = train_digits(epochs=4, lr=0.2, seed=0)
    check_equal(lambda: losses[-1] < 0.3 * losses[0], True)
    check_equal(lambda: right > 0.93, True)
    print(f"it gets {round(397 * (1 - right))} of 397 new digits wrong")
    ### BEGIN HIDDEN TESTS
    gradient_check(
        lambda x, w: conv2d(x, w, stride=(2, 1), dilation=(1, 2), groups=3),
        x,
        rng.normal(size=(6, 1, 2, 2)),
    )
    gradient_check(
        lambda x: max_pool2d(x, 2, stride=1) + avg_pool2d(x, 2, stride=1),
        rng.permutation(60).reshape(1, 3, 4, 5) / 10,
    )
    layer = BatchNorm2d(3)
    batch = Tensor(x * 2 + 5)
    y = layer(batch).data
    check_close(lambda: y.mean(axis=(0, 2, 3)), np.zeros(3), atol=1e-4)
    layer.eval()
    scale = np.sqrt(0.9 + 0.1 * (x * 2).var(axis=(0, 2, 3), ddof=1) + 1e-5)
    expected = (x * 2 + 5 - 0.1 * (x * 2 + 5).mean(axis=(0, 2, 3))[:, None, None]) / scale[
        :, None, None
    ]
    check_close(lambda: layer(batch).data, expected, atol=1e-4)
    check_raises(
        ShapeError, lambda: BatchNorm2d(3)(Tensor(np.ones((1, 3, 1, 1)))), mentions=["(1, 3, 1, 1)"]
    )
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_module()

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
