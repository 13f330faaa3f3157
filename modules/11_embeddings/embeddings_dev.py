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
# Module 11: Embeddings

To the tokenizer `True` is one number and `False` another, and neither says anything about the other. Today you build the table that gives each token a row of numbers, train it on real programs
and see which words end up side by side; and a second table, which tells a network where in the line a token stood.

**Needs** `Tensor` (01), layers (03), autograd (05), and, for its network, activations (02), losses (04) and optimizers (06) | **Exports** `tinytorch.text.embeddings` | **About** 4 hours | **Points** 75

The two folded cells below import what this page needs.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| default_exp text.embeddings
#| export
from typing import Any

import numpy as np

from tinytorch.core.autograd import derivative
from tinytorch.core.layers import Module, Parameter
from tinytorch.core.tensor import ShapeError, Tensor, generator, op, raw

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "page-imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
import re  # this page only: reading, plots and measurements are not exported
from collections import Counter
from math import sqrt

import matplotlib.pyplot as plt

from tinytorch.core.activations import relu
from tinytorch.core.autograd import gradient_check, no_grad
from tinytorch.core.layers import Linear, linear, normal_
from tinytorch.core.losses import cross_entropy
from tinytorch.core.optimizers import AdamW
from tinytorch.core.tensor import keep_freed_memory, manual_seed
from tito.lab import check_close, check_equal, check_raises, check_without
from tito.lab import compare, load_python_source, peak_bytes, show

# %% [markdown]
r"""
## A row for each token

Token numbers are names, not amounts: token 26 is not twice token 13. A network that multiplied them by weights would believe it. So let each token have an amount of its own for every weight: write token
$i$ of $V$ as a row of $V$ numbers, all 0 but for a 1 at place $i$ (*one-hot*), and multiply that by a weight of shape $(V, C)$:

```
ids      one-hot, V = 4        weight (4, 2)       rows
2        0 0 1 0               10  11              30  31
0        1 0 0 0          @    20  21         =    10  11
2        0 0 1 0               30  31              30  31
                               40  41
```

An embedding is nothing else: a linear layer on one-hot rows. Write it that way once.
"""

# %% nbgrader={"grade": false, "grade_id": "one-hot-product", "locked": false, "schema_version": 3, "solution": true, "task": false}
def one_hot_product(weight: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Return a row of the weight for each id, by a matrix product.

    Args:
        weight: shape (V, C), float32.
        ids: integers from 0 to V - 1, shape (N,).

    Returns:
        float32 array of shape (N, C).

    TODO: one-hot rows, then one product.
    APPROACH: 1. float32 zeros of shape (N, V)  2. a 1 in each row, at its id  3. multiply
    EXAMPLE:
        >>> one_hot_product(np.float32([[10, 11], [20, 21], [30, 31]]), np.array([2, 0]))
        array([[30., 31.],
               [10., 11.]], dtype=float32)

    HINT: `a[[0, 1], [5, 7]] = 1` sets two elements, (0, 5) and (1, 7).
    """
    ### BEGIN SOLUTION
    one_hot = np.zeros((len(ids), len(weight)), dtype=np.float32)  # (N, V)
    one_hot[np.arange(len(ids)), ids] = 1
    return one_hot @ weight  # (N, V) @ (V, C) -> (N, C)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-one-hot-product", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_one_hot_product():
    """The example of the text."""
    weight = np.float32([[10, 11], [20, 21], [30, 31], [40, 41]])
    ids = np.array([2, 0, 2])
    check_close(lambda: one_hot_product(weight, ids), [[30, 31], [10, 11], [30, 31]])
    check_equal(lambda: one_hot_product(weight, np.array([1])).dtype.name, "float32")
    ### BEGIN HIDDEN TESTS
    weight = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    ids = np.array([6, 0, 3, 3, 5, 6])
    check_close(lambda: one_hot_product(weight, ids), weight[ids])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_one_hot_product()

# %% [markdown]
r"""
Nearly all of that product is a multiplication by 0. Whoever knows the place of the 1 can fetch the row, and need not multiply at all: the *lookup*.

Two things can go wrong in it without a sound. NumPy counts negative places from the end, so -1, which many programs write for "no such word", would fetch the last row of the table. And a
float32 holds whole numbers exactly only up to $2^{24}$. Our Tensors are float32: ids must therefore never become one. What do you expect of the last line?
"""

# %%
def analyze_ids():
    """What NumPy makes of -1, and what float32 makes of a large id."""
    print("place -1 of three rows:", np.array(["first", "second", "last"])[-1])
    for token in (16_777_215, 16_777_216, 16_777_217):
        print(f"id {token:,} as float32: {int(np.float32(token)):,}")


if __name__ == "__main__":
    analyze_ids()

# %% [markdown]
r"""
The folded cell holds `check_ids`, which returns ids as an array of integers or refuses them with a message, and `check_table`, which looks at sizes.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-checks", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def check_ids(ids: Any, count: int) -> np.ndarray:
    """Return token ids as an array of integers (np.intp) of their shape, or refuse all of them.

    Args:
        ids: whole numbers: one, a list, an array of integers of any shape.
        count: how many rows the table has.

    Raises:
        TypeError: ids that are not of an integer type: floats, booleans, words, a Tensor.
        IndexError: an id outside 0 to count - 1; the message names it.

    Example:
        >>> check_ids([[2, 0]], 3)
        array([[2, 0]])
    """
    array = np.asarray(raw(ids))
    if array.size == 0:
        return array.astype(np.intp)
    if array.dtype.kind not in "iu":
        raise TypeError(
            f"token ids are whole numbers, not {array.dtype}: keep them in an array of integers, "
            "np.asarray(ids, dtype=np.intp). A Tensor is float32 and would lose large ids."
        )
    wrong = (array < 0) | (array >= count)
    if wrong.any():
        raise IndexError(
            f"token id {array[wrong][0]} is out of range: the table has {count} rows, "
            f"so ids go from 0 to {count - 1}."
        )
    return array.astype(np.intp, copy=False)


def check_table(name: str, sizes: tuple[Any, ...], padding_idx: Any = None) -> None:
    """Refuse sizes that are no whole numbers from 1 on, and a padding index outside the table.

    Raises:
        TypeError: a size or a padding index that is no whole number.
        ValueError: a size below 1.
        IndexError: no row has the padding index.
    """
    for size in (*sizes, 0 if padding_idx is None else padding_idx):
        if isinstance(size, bool) or not isinstance(size, int | np.integer):
            raise TypeError(f"{name}: {size!r} is not a whole number.")
    if min(sizes) < 1:
        raise ValueError(f"{name}: sizes {', '.join(map(str, sizes))} must be at least 1.")
    if padding_idx is not None and not -sizes[0] <= padding_idx < sizes[0]:
        raise IndexError(f"{name}: padding_idx {padding_idx} is no row of a table of {sizes[0]}.")

# %% [markdown]
r"""
Now the operation. It follows PyTorch's order, ids first. A `padding_idx` names a token that only fills short sentences up; it changes nothing here, but its gradient will need it. The checked ids go back
beside the result: what an operation returns as a second value is *saved* for its derivative.
"""

# %% nbgrader={"grade": false, "grade_id": "embedding", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@op
def embedding(ids, weight, padding_idx=None):
    """Look up a row of the weight for each token id.

    Args:
        ids: whole numbers from 0 to V - 1, an array of integers or lists of any shape (...).
        weight: shape (V, C).
        padding_idx: a row that gets no gradient, or None.

    Returns:
        shape (..., C), and what is kept: the ids as an array of integers.

    Raises:
        TypeError, IndexError: see check_ids; nothing has been looked up then.

    TODO: check the ids, fetch the rows.
    APPROACH: 1. check_ids(ids, number of rows)  2. the rows  3. return both rows and checked ids
    EXAMPLE:
        >>> weight = Tensor([[10, 11], [20, 21], [30, 31]])
        >>> embedding([[2, 0]], weight).data
        array([[[30., 31.],
                [10., 11.]]], dtype=float32)

    HINT: an array of integers as an index, or `take` along axis 0, fetches rows for any shape.
    """
    if weight.ndim != 2:
        raise ShapeError(f"embedding: weight of shape {weight.shape} is not (V, C).")
    check_table("embedding", weight.shape, padding_idx)
    ### BEGIN SOLUTION
    ids = check_ids(ids, len(weight))
    return weight.take(ids, axis=0), ids  # (V, C) -> (..., C)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-embedding", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_embedding():
    """One id, a line, a batch of lines, and ids that are refused."""
    weight = Tensor([[10, 11], [20, 21], [30, 31]])
    check_close(lambda: embedding(1, weight).data, [20, 21])
    check_close(lambda: embedding([2, 0, 2], weight).data, [[30, 31], [10, 11], [30, 31]])
    check_close(lambda: embedding([[2], [1]], weight).data, [[[30, 31]], [[20, 21]]])
    check_raises(IndexError, lambda: embedding([0, 3], weight), mentions=["3"])
    check_raises(IndexError, lambda: embedding([0, -1], weight), mentions=["-1"])
    check_raises(TypeError, lambda: embedding([0.0, 1.0], weight), mentions=["float"])
    ### BEGIN HIDDEN TESTS
    table = np.random.default_rng(1).normal(size=(9, 4)).astype(np.float32)
    weight, ids = Tensor(table), np.random.default_rng(2).integers(0, 9, size=(2, 3, 5))
    check_close(lambda: embedding(ids, weight).data, table[ids])
    check_close(lambda: embedding(ids.astype(np.uint8), weight).data, table[ids])
    check_raises(TypeError, lambda: embedding([True, False], weight), mentions=["bool"])
    check_raises(TypeError, lambda: embedding(Tensor([1, 2]), weight), mentions=["float32"])
    check_equal(lambda: embedding(np.zeros((2, 0), int), weight).shape, (2, 0, 4))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_embedding()

# %% [markdown]
r"""
Same rows, two ways. For 2,048 ids, 10,000 tokens and rows of 128, how many multiply-adds does the product make? How many times faster will the lookup be, and how many bytes does the one-hot matrix take?
"""

# %%
def analyze_lookup():
    """Time and memory of the product and of the lookup."""
    keep_freed_memory()
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(10_000, 128)).astype(np.float32)
    ids, lookup = rng.integers(0, 10_000, size=2048), embedding.__wrapped__
    ways = {
        "product": lambda: one_hot_product(weight, ids),
        "lookup": lambda: lookup(ids, weight),
    }
    ms = {way: timing.low_ms for way, timing in compare(ways, samples=5).items()}
    for way, function in ways.items():
        print(f"{way}: {ms[way]:8.3f} ms, peak {peak_bytes(function) / 2**20:6.1f} MiB")
    print(f"{2048 * 10_000 * 128 / 1e9:.1f} billion multiply-adds against none:", end=" ")
    print(f"{ms['product'] / ms['lookup']:,.0f} times faster")


if __name__ == "__main__":
    analyze_lookup()

# %% [markdown]
r"""
## The way back

The loss hands each fetched row a gradient. Where does it go? To the row of the table it was fetched from. And if a token stood in the batch three times? Its row was used three times, and what is used on
several paths gets the **sum** of what comes back on them (module 05).

```
ids      g              gradient of the table (4 rows)
2        1  10          row 0     2  20
0        2  20          row 1     0   0
2        4  40          row 2     5  50     <- 1 + 4, 10 + 40
                        row 3     0   0
```

First slow and right: a loop over the rows of g.
"""

# %% nbgrader={"grade": false, "grade_id": "add-rows-loop", "locked": false, "schema_version": 3, "solution": true, "task": false}
def add_rows_loop(g: np.ndarray, ids: np.ndarray, count: int) -> np.ndarray:
    """Return a table of `count` rows in which row i is the sum of the rows of g whose id is i.

    Args:
        g: shape (N, C).
        ids: integers from 0 to count - 1, shape (N,).

    Returns:
        float32 array of shape (count, C).

    TODO: a loop over the rows; no np.add.at, bincount or product.
    APPROACH: 1. float32 zeros  2. for each id and its row of g: add
    EXAMPLE:
        >>> add_rows_loop(np.float32([[1, 10], [2, 20], [4, 40]]), np.array([2, 0, 2]), 3)
        array([[ 2., 20.],
               [ 0.,  0.],
               [ 5., 50.]], dtype=float32)

    HINT: `zip(ids, g, strict=True)` walks over both together.
    """
    ### BEGIN SOLUTION
    table = np.zeros((count, g.shape[1]), dtype=np.float32)
    for i, row in zip(ids, g, strict=True):
        table[i] += row
    return table
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-add-rows-loop", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_add_rows_loop():
    """The example of the text, with its repeated id and its rows that nobody used."""
    g, ids = np.float32([[1, 10], [2, 20], [4, 40]]), np.array([2, 0, 2])
    check_close(lambda: add_rows_loop(g, ids, 4), [[2, 20], [0, 0], [5, 50], [0, 0]])
    check_equal(lambda: add_rows_loop(g, ids, 4).dtype.name, "float32")
    check_without(add_rows_loop, "at", "bincount", "@", "matmul", "dot", "einsum")
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(3)
    g, ids = rng.normal(size=(40, 3)).astype(np.float32), rng.integers(0, 6, size=40)
    expected = np.eye(6)[ids].T @ g
    check_close(lambda: add_rows_loop(g, ids, 6), expected, atol=1e-5)
    check_close(lambda: add_rows_loop(g[:0], ids[:0], 2), np.zeros((2, 3)))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_add_rows_loop()

# %% [markdown]
r"""
Now without a loop over rows. Why not simply `table[ids] += g`? Try it in your head: `table[[1, 1]] += 1` reads both rows first, adds, and writes both; what stands in row 1 then? `np.add.at` gets that right, and so does
`np.add.reduceat` on sorted rows, the textbook's answer. Guess how the three compare with your loop.
"""

# %% nbgrader={"grade": false, "grade_id": "shortcuts", "locked": true, "schema_version": 3, "solution": false, "task": false}
def add_rows_at(g, ids, count):
    """The same as add_rows_loop, by the function that NumPy made for it."""
    sums = np.zeros((count, g.shape[1]), np.float32)
    np.add.at(sums, ids, g)
    return sums


def add_rows_reduceat(g, ids, count):
    """The same, by a sum over each stretch of equal ids in sorted order."""
    by_id, used = ids.argsort(), np.unique(ids)
    sums = np.zeros((count, g.shape[1]), np.float32)
    sums[used] = np.add.reduceat(g[by_id], np.searchsorted(ids[by_id], used), axis=0)
    return sums

# %%
def analyze_shortcuts():
    """table[ids] += g loses rows; times of three ways that do not."""
    table = np.zeros((3, 1))
    table[[1, 1]] += 1
    print("table[[1, 1]] += 1 leaves", table[1].item(), "in row 1")
    rng = np.random.default_rng(0)
    g, ids = rng.normal(size=(2048, 128)).astype(np.float32), rng.integers(0, 1000, size=2048)
    ways = {"loop": add_rows_loop, "np.add.at": add_rows_at, "reduceat": add_rows_reduceat}
    for way, timing in compare(ways, g, ids, 1000, samples=7).items():
        print(f"{way:<9} {timing.low_ms:6.2f} ms")


if __name__ == "__main__":
    analyze_shortcuts()

# %% [markdown]
r"""
Where a shortcut is no better than a loop in Python, or worse, this is why: both walk element by element, and `reduceat` starts anew in each of the 128 columns of each stretch. What NumPy does fast is one addition of
*many whole rows*. So sort, and look at the stretches of equal ids, the **segments**, side by side:

```
sorted ids     0  0  1  3  3  3          longest first     3  3  3
rows of g      a  b  c  d  e  f                            d  e  f
                                                           a  b
round 0: d a c    round 1: + e b    round 2: + f           c
```

Round $k$ adds row $k$ of *every segment that is longer than k*, in a single addition. With the longest first, those segments are simply the first few. Begin with the bookkeeping: an order that sorts,
where each segment starts in it, and how long it is.
"""

# %% nbgrader={"grade": false, "grade_id": "segments", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def sorting_order(ids: np.ndarray) -> np.ndarray:
    """Places that sort the ids, equal ones in the order in which they stand, shape (N,)."""
    small = ids.astype(np.uint16) if ids.max(initial=0) < 1 << 16 else ids
    return np.argsort(small, kind="stable")  # NumPy sorts 16 bits by their digits


def segments(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the segments of equal ids in sorted order, the longest first.

    Args:
        ids: integers from 0 on, shape (N,).

    Returns:
        order: places that sort the ids, shape (N,).
        starts: where each segment begins in `order`, shape (S,).
        lengths: how long it is, shape (S,), falling.

    TODO: the three arrays, without a loop.
    APPROACH: 1. sorting_order(ids)  2. a segment begins where a sorted id is not the one before
        3. its length is the way to the next start  4. reorder starts and lengths by length
    EXAMPLE:
        >>> order, starts, lengths = segments(np.array([3, 0, 3, 3]))
        >>> order.tolist(), starts.tolist(), lengths.tolist()
        ([1, 0, 2, 3], [1, 0], [3, 1])

    HINT: `np.diff(a, prepend=p)` and `append=p` put p before or behind a first. What may stand
        before the first id, what behind the last start? Sorting -lengths puts the longest first.
    """
    ### BEGIN SOLUTION
    order = sorting_order(ids)
    starts = np.flatnonzero(np.diff(ids[order], prepend=-1))
    lengths = np.diff(starts, append=len(ids))
    longest = np.argsort(-lengths)
    return order, starts[longest], lengths[longest]
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-segments", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_segments():
    """The drawing: ids 0, 1 and 3, of which 3 stands there most often."""
    ids = np.array([3, 0, 1, 3, 0, 3])
    check_equal(lambda: segments(ids)[0].tolist(), [1, 4, 2, 0, 3, 5])
    check_equal(lambda: segments(ids)[1].tolist(), [3, 0, 2])
    check_equal(lambda: segments(ids)[2].tolist(), [3, 2, 1])
    ### BEGIN HIDDEN TESTS
    ids = np.random.default_rng(4).integers(1, 9, size=50)
    order, starts, lengths = segments(ids)
    check_equal(lambda: ids[order].tolist(), sorted(ids.tolist()))
    counts = [(i, int((ids == i).sum())) for i in np.unique(ids).tolist()]
    sizes = dict(zip(ids[order[starts]].tolist(), lengths.tolist(), strict=True))
    check_equal(lambda: sorted(sizes.items()), counts)
    check_equal(lambda: int((np.diff(lengths) > 0).sum()), 0)
    check_equal(lambda: [len(part) for part in segments(ids[:0])], [0, 0, 0])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_segments()

# %% [markdown]
r"""
Then the rounds. `limit` stops them early: a segment that is longer gives only its first `limit` rows. (Why anybody would want that, you will see in a minute.)
"""

# %% nbgrader={"grade": false, "grade_id": "sum-rounds", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def sum_rounds(
    g: np.ndarray, order: np.ndarray, starts: np.ndarray, lengths: np.ndarray, limit: int
) -> np.ndarray:
    """Sum the rows of each segment, or its first `limit` rows, round by round.

    Args:
        g: shape (N, C).
        order, starts, lengths: as segments returns them.
        limit: at most how many rounds, at least 1.

    Returns:
        array of g's type, shape (S, C).

    TODO: round 0 fetches, each later one adds to the segments that still have a row.
    APPROACH: 1. the first row of each segment  2. for k from 1: how many are longer than k?
        3. add row k of those to their sums
    EXAMPLE:
        >>> g = np.float32([[1, 10], [2, 20], [4, 40]])
        >>> sum_rounds(g, *segments(np.array([2, 0, 2])), limit=9)
        array([[ 5., 50.],
               [ 2., 20.]], dtype=float32)

    HINT: row k of a segment stands at starts + k in the order. `lengths.max(initial=0)` is the
        last round's end, also if there are no segments.
    """
    ### BEGIN SOLUTION
    sums = g.take(order[starts], axis=0)  # (S, C)
    for k in range(1, min(limit, lengths.max(initial=0))):
        longer = np.count_nonzero(lengths > k)  # they come first
        sums[:longer] += g.take(order[starts[:longer] + k], axis=0)
    return sums
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-sum-rounds", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_sum_rounds():
    """All rounds, then two of them."""
    g, order = np.float32([[1], [2], [4], [8], [16], [32]]), np.array([1, 4, 2, 0, 3, 5])
    starts, lengths = np.array([3, 0, 2]), np.array([3, 2, 1])  # of the drawing
    check_close(lambda: sum_rounds(g, order, starts, lengths, limit=9), [[41], [18], [4]])
    check_close(lambda: sum_rounds(g, order, starts, lengths, limit=2), [[9], [18], [4]])
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(5)
    g, ids = rng.normal(size=(60, 4)).astype(np.float32), rng.integers(0, 11, size=60)
    order = np.argsort(ids, kind="stable")
    _, starts, lengths = np.unique(ids[order], return_index=True, return_counts=True)
    falling = np.argsort(-lengths)
    starts, lengths = starts[falling], lengths[falling]
    for limit in (1, 3, 100):
        pieces = zip(starts, lengths, strict=True)
        expected = [g[order[s : s + min(n, limit)]].sum(axis=0) for s, n in pieces]
        check_close(lambda: sum_rounds(g, order, starts, lengths, limit), expected, atol=1e-5)
    none = ids[:0]
    check_equal(lambda: sum_rounds(g[:0], none, none, none, 4).shape, (0, 4))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_sum_rounds()

# %% [markdown]
r"""
Are tokens as even as the random ids above? Here is text that every machine with Python has: its own standard library. `read_words` reads it (a name, a number, or a sign is a word), `number_words` numbers the most frequent and
gives all others the id 0.
"""

# %% nbgrader={"grade": false, "grade_id": "read-words", "locked": true, "schema_version": 3, "solution": false, "task": false}
def read_words(count):
    """The first `count` words of the standard library, which has fewer than 10 signs a word."""
    text = load_python_source(10 * count)
    return re.findall(r"[A-Za-z_]+|\d+|[^\sA-Za-z_\d]", text)[:count]


def number_words(words, size):
    """The `size` - 1 most frequent words behind "<other>", and the id of each word in the text."""
    vocabulary = ["<other>", *(word for word, _ in Counter(words).most_common(size - 1))]
    number = {word: i for i, word in enumerate(vocabulary)}
    return vocabulary, np.array([number.get(word, 0) for word in words], dtype=np.intp)

# %%
def analyze_frequencies():
    """How often each word stands in the standard library, by its rank."""
    vocabulary, ids = number_words(read_words(300_000), 400)
    counts = np.bincount(ids, minlength=400)
    fig, axes = plt.subplots(figsize=(5, 3))
    axes.loglog(np.arange(1, 400), counts[1:], ".")
    axes.set(xlabel="rank of the word", ylabel="how often in 300,000 words")
    for word in ("self", "None", vocabulary[100], vocabulary[-1]):
        rank = vocabulary.index(word)
        axes.annotate(word, (rank, counts[rank]), (4, 6), textcoords="offset points")
    show(fig, alt="Counts of words by rank on logarithmic axes: nearly a falling straight line")
    share = counts[1:11].sum() / len(ids)
    print("most frequent:", " ".join(vocabulary[1:11]), f"| together {share:.0%} of the text")


if __name__ == "__main__":
    analyze_frequencies()

# %% [markdown]
r"""
A few words are everywhere, most are rare: nearly a straight line on these axes, *Zipf's law* (Zipf, *Human Behavior and the Principle of Least Effort*, 1949). In a batch of 2,048 ids the longest segment may have
hundreds of rows. What does that do to your rounds? And what if the rounds stopped after a few, and the rest of each long segment were summed at once, with `sum(axis=0)`? That is `add_rows`.
"""

# %% nbgrader={"grade": false, "grade_id": "add-rows", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
LONG = 16  # rounds, before the rest of each longer segment is summed on its own


def add_rows(g: np.ndarray, ids: np.ndarray, count: int, limit: int = LONG) -> np.ndarray:
    """Return a table of `count` rows in which row i is the sum of the rows of g whose id is i.

    Args:
        g: shape (N, C).
        ids: integers from 0 to count - 1, shape (N,).
        limit: how many rounds before the rest of each longer segment is summed on its own.

    Returns:
        float32 array of shape (count, C).

    TODO: rounds up to `limit`, then the rest of the long segments, then the table.
    APPROACH: 1. segments, sum_rounds  2. for each longer segment: its places from `limit` on, the
        sum of those rows in one go, added  3. each sum into the row of its id
    EXAMPLE:
        >>> add_rows(np.float32([[1, 10], [2, 20], [4, 40]]), np.array([2, 0, 2]), 3)
        array([[ 2., 20.],
               [ 0.,  0.],
               [ 5., 50.]], dtype=float32)

    HINT: `ids[order[starts]]` are the ids of the segments, each once: here a plain assignment is
        safe.
    """
    ### BEGIN SOLUTION
    order, starts, lengths = segments(ids)
    sums = sum_rounds(g, order, starts, lengths, limit)  # (S, C)
    for s in range(np.count_nonzero(lengths > limit)):
        rest = order[starts[s] + limit : starts[s] + lengths[s]]
        sums[s] += g.take(rest, axis=0).sum(axis=0)
    table = np.zeros((count, g.shape[1]), dtype=np.float32)
    table[ids[order[starts]]] = sums  # (S, C) into (count, C)
    return table
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-add-rows", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_add_rows():
    """The example of the text, and a segment longer than the limit."""
    g, ids = np.float32([[1, 10], [2, 20], [4, 40]]), np.array([2, 0, 2])
    check_close(lambda: add_rows(g, ids, 4), [[2, 20], [0, 0], [5, 50], [0, 0]])
    g, ids = np.arange(1, 31, dtype=np.float32).reshape(30, 1), np.array([1] * 20 + [0] * 10)
    check_close(lambda: add_rows(g, ids, 2, limit=4), [[255], [210]])
    check_close(lambda: add_rows(g, ids, 2, limit=100), [[255], [210]])
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(6)
    ids = np.minimum(rng.zipf(1.5, size=300) - 1, 19)
    g = rng.normal(size=(300, 5)).astype(np.float32)
    expected = np.eye(20)[ids].T @ g.astype(np.float64)
    for limit in (1, 2, 16, 500):
        check_close(lambda: add_rows(g, ids, 20, limit), expected, atol=1e-4)
    check_equal(lambda: add_rows(g, ids, 20).dtype.name, "float32")
    check_close(lambda: add_rows(g[:0], ids[:0], 3), np.zeros((3, 5)))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_add_rows()

# %% [markdown]
r"""
Four ways, on even ids and on the ids of the library. For which of the two do you expect the rounds without a limit to win, and which limit is best?
"""

# %%
def analyze_gradient():
    """2,048 rows of 128 into 1,000: np.add.at and your two ways, for even ids and for words."""
    keep_freed_memory()
    rng = np.random.default_rng(0)
    g = rng.normal(size=(2048, 128)).astype(np.float32)
    kinds = {"even ids": rng.integers(0, 1000, size=2048)}
    kinds["words"] = number_words(read_words(300_000), 1000)[1][:2048]
    limits = [1, 2, 4, 8, 16, 32, 64, 128, 2048]
    fig, axes = plt.subplots(figsize=(5, 3))
    for (name, ids), mark in zip(kinds.items(), ("o-", "s--"), strict=True):
        ways = {n: lambda g, ids, n=n: add_rows(g, ids, 1000, n) for n in limits}
        ways |= {"loop": lambda g, ids: add_rows_loop(g, ids, 1000)}
        ways |= {"np.add.at": lambda g, ids: add_rows_at(g, ids, 1000)}
        ms = {way: timing.low_ms for way, timing in compare(ways, g, ids, samples=7).items()}
        axes.loglog(limits, [ms[n] for n in limits], mark, label=name)
        at, best = ms["np.add.at"], ms[LONG]
        print(f"{name}, longest segment {np.bincount(ids).max()}: loop {ms['loop']:.2f} ms,")
        print(f"  np.add.at {at:.2f}, rounds without a limit {ms[2048]:.2f},", end=" ")
        print(f"with {LONG} {best:.2f}: {at / best:.1f} times faster than np.add.at")
    axes.set(xlabel="limit of the rounds", ylabel="milliseconds")
    axes.legend()
    show(fig, alt="Milliseconds by limit of the rounds, for even ids and for the words of a text")


if __name__ == "__main__":
    analyze_gradient()

# %% [markdown]
r"""
Even ids need few rounds, so a limit is no help to them. On words most rounds would be run for a handful of segments, and the limit saves them. Whoever had measured on random ids only would never have met
the difference.

Your sum becomes the derivative of the lookup. The rule may ask for `saved`, the checked ids, and `input_shape`, (V, C); the weight itself is needed nowhere. The row of `padding_idx` was no word, and must learn nothing.
"""

# %% nbgrader={"grade": false, "grade_id": "embedding-rule", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@derivative(embedding, "weight")
def embedding_weight(g, input_shape, saved, padding_idx):
    """Gradient of embedding for the weight: each row of g is added to the row it was fetched from.

    Args:
        g: shape (..., C).
        input_shape: (V, C).
        saved: the ids, integers of shape (...).
        padding_idx: the row whose gradient is 0, or None.

    Returns:
        float32 array of shape (V, C).

    TODO: the sum of rows, and the row for padding.
    APPROACH: 1. g as (N, C), the ids as (N,)  2. add_rows  3. zeros for padding, if there is one
    EXAMPLE:
        >>> embedding_weight(np.ones((1, 2, 1)), (3, 1), np.array([[2, 2]]), None).tolist()
        [[0.0], [0.0], [2.0]]

    HINT: saved.size is N, also where it is 0.
    """
    ### BEGIN SOLUTION
    count, C = input_shape
    grad = add_rows(g.reshape(saved.size, C), saved.reshape(-1), count)  # (..., C) -> (V, C)
    if padding_idx is not None:
        grad[padding_idx] = 0
    return grad
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-embedding-rule", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_embedding_rule():
    """A batch of lines with a repeated id, with and without padding."""
    g, ids = np.float32([[[1, 10], [2, 20]], [[4, 40], [8, 80]]]), np.array([[2, 0], [2, 1]])
    expected = [[2, 20], [8, 80], [5, 50], [0, 0]]
    check_close(lambda: embedding_weight(g, (4, 2), ids, None), expected)
    expected = [[0, 0], [8, 80], [5, 50], [0, 0]]
    check_close(lambda: embedding_weight(g, (4, 2), ids, 0), expected)
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(7)
    ids, weight = rng.integers(0, 5, size=(3, 4)), rng.normal(size=(5, 2))
    gradient_check(lambda weight: embedding(ids, weight) * 2, weight)
    g = rng.normal(size=(3, 4, 2)).astype(np.float32)
    expected = np.eye(5)[ids.reshape(-1)].T @ g.reshape(-1, 2)
    expected[4] = 0
    check_close(lambda: embedding_weight(g, (5, 2), ids, -1), expected, atol=1e-5)
    check_close(lambda: embedding_weight(g[:0], (5, 2), ids[:0], None), np.zeros((5, 2)))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_embedding_rule()

# %% [markdown]
r"""
The layer is a table and this operation. PyTorch starts the table with normal numbers of mean 0 and variance 1; the padding row starts at 0, and by your rule stays there.
"""

# %% nbgrader={"grade": false, "grade_id": "embedding-layer", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class Embedding(Module):
    """A learned row for each token: ids of any shape (...) become (..., C).

    The weight starts with standard normal numbers, its padding row with zeros.

    Args:
        num_embeddings: V, how many tokens there are.
        embedding_dim: C, numbers in a row.
        padding_idx: a token that only fills up: its row is 0 and stays so; negative ones count
            from the end.

    Raises:
        TypeError, ValueError, IndexError: see check_table.

    TODO: draw the weight in `__init__`, use it in `forward`.
    APPROACH: 1. V x C standard normal numbers  2. zeros in the padding row, if there is one
        3. a Parameter  4. forward: call embedding
    EXAMPLE:
        >>> layer = Embedding(10, 4, padding_idx=0)
        >>> layer.weight.shape, layer([[1, 2, 0]]).shape, layer(0).data.tolist()
        ((10, 4), (1, 3, 4), [0.0, 0.0, 0.0, 0.0])

    HINT: `generator().normal(size=...)` is the course's source of random numbers.
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None
    ) -> None:
        check_table("Embedding", (num_embeddings, embedding_dim), padding_idx)
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = padding_idx
        self.weight = None
        ### BEGIN SOLUTION
        weight = generator().normal(size=(num_embeddings, embedding_dim))
        if padding_idx is not None:
            weight[padding_idx] = 0
        self.weight = Parameter(weight)
        ### END SOLUTION

    def forward(self, ids: Any) -> Tensor:
        """Look up the rows: whole numbers (...) -> (..., C)."""
        ### BEGIN SOLUTION
        return embedding(ids, self.weight, self.padding_idx)
        ### END SOLUTION

    def extra_repr(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"

# %% nbgrader={"grade": true, "grade_id": "test-embedding-layer", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_embedding_layer():
    """Rows of the weight, a padding row of zeros, and ids that have no row."""
    layer = Embedding(6, 3, padding_idx=2)
    check_equal(lambda: layer.weight.shape, (6, 3))
    check_close(lambda: layer([[2, 5]]).data[0, 0], [0, 0, 0])
    check_close(lambda: layer([[2, 5]]).data[0, 1], layer.weight.data[5])
    check_equal(lambda: layer([[2, 5], [0, 0], [1, 1]]).shape, (3, 2, 3))
    check_raises(IndexError, lambda: layer([6]), mentions=["6"])
    ### BEGIN HIDDEN TESTS
    manual_seed(0)
    table = Embedding(400, 50).weight
    check_equal(lambda: [path for path, _ in layer.named_parameters()], ["weight"])
    check_close(lambda: table.data.mean(), 0, atol=0.03)
    check_close(lambda: table.data.std(), 1, atol=0.03)
    first, last = Embedding(3, 2, padding_idx=0), Embedding(3, 2, padding_idx=-1)
    check_close(lambda: first([0]).data, [[0, 0]])
    check_close(lambda: last(2).data, [0, 0])
    check_equal(lambda: int((last(1).data != 0).sum()), 2)
    check_equal(lambda: layer.weight.requires_grad, True)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_embedding_layer()

# %% [markdown]
r"""
## Where does it stand?

"dog bites man" and "man bites dog" hold the same three rows. A network that treats all rows alike and adds up at the end, as attention will, cannot tell them apart. So each place $t$ of the line gets a row as well, which is
*added* to the token's. It can be learned like any table. Or it can be written down (Vaswani et al., *Attention is all you need*, 2017, section 3.5): pairs of columns turn, each pair slower than the one before, like the hands of a clock:

$$P_{t,\,2i} = \sin\left(t\;10000^{-2i/C}\right) \qquad P_{t,\,2i+1} = \cos\left(t\;10000^{-2i/C}\right)$$

For $C = 4$ the first hand turns by 1 radian a place, the second by $10000^{-1/2} = 0.01$:

```
t    sin t   cos t   sin 0.01 t   cos 0.01 t
0    0       1       0            1
1    0.841   0.540   0.010        1.000
2    0.909  -0.416   0.020        1.000
```
"""

# %% nbgrader={"grade": false, "grade_id": "sine-table", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def sinusoidal_table(context: int, d_model: int) -> np.ndarray:
    """The table of positions above.

    Args:
        context: T, how many places.
        d_model: C, how many columns; an odd C ends with a sine.

    Returns:
        float32 array of shape (T, C).

    TODO: the formula for all places and columns at once; compute in float64, return float32.
    APPROACH: 1. places as a column (T, 1)  2. one speed for each pair of columns  3. all angles
        4. sines into the columns 0, 2, 4 ..., cosines into 1, 3, 5 ...
    EXAMPLE:
        >>> sinusoidal_table(2, 4).round(3)
        array([[0.   , 1.   , 0.   , 1.   ],
               [0.841, 0.54 , 0.01 , 1.   ]], dtype=float32)

    HINT: `np.arange(0, d_model, 2)` are the numbers 2i; `table[:, 1::2]` are d_model // 2 columns.
    """
    ### BEGIN SOLUTION
    speeds = 10000.0 ** (-np.arange(0, d_model, 2) / d_model)  # (C/2,), one for each pair
    angles = np.arange(context)[:, None] * speeds  # (T, 1) * (C/2,) -> (T, C/2)
    table = np.empty((context, d_model), dtype=np.float32)
    table[:, 0::2] = np.sin(angles)
    table[:, 1::2] = np.cos(angles[:, : d_model // 2])
    return table
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-sine-table", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_sine_table():
    """The example of the text."""
    expected = [[0, 1, 0, 1], [0.8415, 0.5403, 0.01, 0.99995], [0.9093, -0.4161, 0.02, 0.9998]]
    check_close(lambda: sinusoidal_table(3, 4), expected, atol=1e-4)
    check_equal(lambda: sinusoidal_table(3, 4).dtype.name, "float32")
    ### BEGIN HIDDEN TESTS
    place = [[t / 10000 ** (c // 2 * 2 / 6) for c in range(6)] for t in range(50)]
    expected = np.where(np.arange(6) % 2, np.cos(place), np.sin(place))
    check_close(lambda: sinusoidal_table(50, 6), expected, atol=1e-5)
    check_equal(lambda: sinusoidal_table(4, 5).shape, (4, 5))
    check_close(lambda: sinusoidal_table(4, 5)[:, 4], np.sin(np.arange(4) / 10000**0.8), atol=1e-5)
    far = [np.sin(29_999.0), np.cos(29_999.0), np.sin(29_999 / 10000**0.25)]
    check_close(lambda: sinusoidal_table(30_000, 8)[-1, :3], far, atol=1e-5)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_sine_table()

# %% [markdown]
r"""
Look at it before you read on. Which columns tell neighbours apart, and which tell the beginning of a long text from its end? The curve beside it multiplies the row of place 40 with every other row: what would you want of it?
"""

# %%
def analyze_positions():
    """The table as an image, and the product of one place's row with all others."""
    table = sinusoidal_table(100, 64)
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3))
    picture = left.imshow(table, aspect="auto", cmap="RdBu", vmin=-1, vmax=1)
    left.set(xlabel="column", ylabel="place in the line", title="sinusoidal_table(100, 64)")
    fig.colorbar(picture, ax=left)
    for place, mark in ((40, "-"), (60, "--")):
        right.plot(np.arange(100) - place, table @ table[place], mark, label=f"place {place}")
    right.set(xlabel="distance in places", ylabel="product of rows", title="Places near and far")
    right.legend()
    fig.tight_layout()
    alt = "Left: 100 places by 64 columns; the first columns change at every place in stripes, the "
    alt += "last hardly at all. Right: the product of two places' rows, highest at distance 0, "
    show(fig, alt=alt + "the same curve for place 40 and place 60")
    shift = [float(table[t] @ table[t + 3]) for t in (0, 10, 90)]
    print("three places apart, at 0, 10, 90:", ", ".join(f"{value:.4f}" for value in shift))
    print(f"largest difference: {max(shift) - min(shift):.1e}")


if __name__ == "__main__":
    analyze_positions()

# %% [markdown]
r"""
The product depends on the *distance* only: $\sin a \sin b + \cos a \cos b = \cos(a - b)$, pair by pair. So a network that compares rows by products, as the next one will, can ask "three places back" with the same weights anywhere in the text.

`PositionalEncoding` adds a table's first rows to what comes in, $(B, T, C) \to (B, T, C)$. The fixed table follows from its sizes, so it is no part of the state; the learned one is a Parameter.
"""

# %% nbgrader={"grade": false, "grade_id": "positional-encoding", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class PositionalEncoding(Module):
    """Adds to each token a row that says where it stands.

    Args:
        context: how many places there are.
        d_model: C, numbers in a row.
        learned: whether the table is a Parameter, which starts with normal numbers of size 0.02,
            or the fixed sinusoidal one.

    Raises:
        TypeError, ValueError: see check_table.

    TODO: write `forward`.
    APPROACH: 1. refuse a last axis that is not d_model, as below  2. refuse more places than the
        table has, with a ShapeError that names both numbers  3. add the first T rows
    EXAMPLE:
        >>> x = Tensor(np.zeros((2, 3, 4)))
        >>> PositionalEncoding(10, 4)(x).data[1, 1].round(3)
        array([0.841, 0.54 , 0.01 , 1.   ], dtype=float32)

    HINT: T is the last size but one, `x.shape[-2]`. Rows (T, C) fit on (B, T, C) by themselves.
    """

    def __init__(self, context: int, d_model: int, learned: bool = False) -> None:
        check_table("PositionalEncoding", (context, d_model))
        self.context, self.d_model, self.learned = context, d_model, learned
        if learned:
            self.table = Parameter(generator().normal(scale=0.02, size=(context, d_model)))
        else:
            self.table = sinusoidal_table(context, d_model)

    def forward(self, x: Tensor) -> Tensor:
        """Add positions: (..., T, C) -> the same shape; raises ShapeError if T > context."""
        if x.ndim < 2 or x.shape[-1] != self.d_model:
            raise ShapeError(
                f"PositionalEncoding: x of shape {x.shape} is not (..., T, {self.d_model})."
            )
        ### BEGIN SOLUTION
        length = x.shape[-2]
        if length > self.context:
            raise ShapeError(
                f"PositionalEncoding: a sequence of {length} is longer than the context of "
                f"{self.context}: cut it, or build the layer with a larger context."
            )
        return x + self.table[:length]  # (..., T, C) + (T, C)
        ### END SOLUTION

    def extra_repr(self) -> str:
        return f"{self.context}, {self.d_model}, learned={self.learned}"

# %% nbgrader={"grade": true, "grade_id": "test-positional-encoding", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_positional_encoding():
    """Fixed and learned rows, and a line that is too long."""
    x, fixed = Tensor(np.ones((2, 3, 4)), requires_grad=True), PositionalEncoding(8, 4)
    check_close(lambda: fixed(x).data[1], 1 + sinusoidal_table(3, 4), atol=1e-5)
    learned = PositionalEncoding(8, 4, learned=True)
    check_close(lambda: learned(x).data[0], 1 + learned.table.data[:3], atol=1e-5)
    learned(x).sum().backward()
    used = np.repeat([[2.0], [0.0]], [3, 5], axis=0) * np.ones(4)  # two lines of three places
    check_close(lambda: learned.table.grad, used)
    too_long = Tensor(np.ones((1, 9, 4)))
    check_raises(ShapeError, lambda: fixed(too_long), mentions=["9", "8"])
    ### BEGIN HIDDEN TESTS
    check_raises(ShapeError, lambda: learned(too_long), mentions=["9", "8"])
    full = Tensor(np.random.default_rng(8).normal(size=(1, 8, 4)))
    check_close(lambda: fixed(full).data, full.data + sinusoidal_table(8, 4), atol=1e-5)
    check_equal(lambda: len(fixed.state_dict()), 0)
    check_equal(lambda: list(learned.state_dict()), ["table"])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_positional_encoding()

# %% [markdown]
r"""
## One table, used twice

Time to train. Hide a word and guess it from the three before and the three after. At the end the network holds C numbers about the gap and must turn them into one score for each of V words. That takes
a second table of V rows, or the *same* one: the score of a word is the product of its row with the summary. Sharing it is called **weight tying** (Press and Wolf, *Using the output embedding to improve language models*, 2017).

```
ids (B, T) ── rows of weight ── + positions ── hidden, relu ── mean over T ── output ── @ weight.T ── logits (B, V)
                   │                                                                        │
                   └────────────────────── one Parameter (V, C) ───────────────────────────┘
```

One question first. The rows are added to positions, then each goes through a layer with a ReLU, then comes the mean. Would it do to take the mean right after adding the positions?

The rows are multiplied by $\sqrt{C}$ on the way in, because a table whose products give sensible scores at the end, of size $1/\sqrt{C}$, is too faint beside the positions at the beginning (Vaswani et al., section 3.4).
"""

# %% nbgrader={"grade": false, "grade_id": "tied-model", "locked": false, "schema_version": 3, "solution": true, "task": false}
class MissingWord(Module):
    """Guesses a word from its neighbours; one table serves as input and as output.

    TODO: write `forward`, after the drawing.
    APPROACH: 1. rows, times sqrt(C), plus positions  2. hidden, relu, mean over axis 1, output
        3. the scores, by the product of the text, without a copy of the weight
    EXAMPLE:
        >>> model = MissingWord(vocab_size=10, context=4, d_model=8, hidden=16)
        >>> model(np.array([[1, 2, 3, 4], [5, 6, 7, 8]])).shape
        (2, 10)

    HINT: `linear(x, weight)` is x @ weight.T, which is what the end of the drawing asks for.
    """

    def __init__(self, vocab_size: int, context: int, d_model: int, hidden: int) -> None:
        self.embedding = Embedding(vocab_size, d_model)
        normal_(self.embedding.weight, std=1 / sqrt(d_model))
        self.positions = PositionalEncoding(context, d_model)
        self.hidden, self.output = Linear(d_model, hidden), Linear(hidden, d_model)

    def forward(self, ids: np.ndarray) -> Tensor:
        """Scores for the missing word: ids (B, T) -> logits (B, V)."""
        ### BEGIN SOLUTION
        C = self.embedding.embedding_dim
        x = self.positions(self.embedding(ids) * sqrt(C))  # (B, T) -> (B, T, C)
        h = relu(self.hidden(x)).mean(axis=1)  # (B, T, C) -> (B, T, H) -> (B, H)
        return linear(self.output(h), self.embedding.weight)  # (B, C) -> (B, V)
        ### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "direction-slope", "locked": true, "schema_version": 3, "solution": false, "task": false}
def slope_along(model, direction, ids, g, step=1e-3):
    """How (logits * g).sum() changes while the table moves along `direction`, measured."""
    sums = []
    for sign in (1, -1):
        model.embedding.weight.data += np.float32(sign * step) * direction
        with no_grad():
            sums.append(float((model(ids).numpy().astype(np.float64) * g).sum()))
        model.embedding.weight.data -= np.float32(sign * step) * direction
    return (sums[0] - sums[1]) / (2 * step)

# %% nbgrader={"grade": true, "grade_id": "test-tied-model", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_tied_model():
    """One table, in the parameters once, with the gradient of both its uses."""
    manual_seed(0)
    model, ids = MissingWord(9, 4, 6, 12), np.array([[1, 2, 3, 3], [8, 1, 0, 2]])
    names = ["embedding.weight", "hidden.weight", "hidden.bias", "output.weight", "output.bias"]
    check_equal(lambda: [path for path, _ in model.named_parameters()], names)
    check_equal(lambda: model(ids).shape, (2, 9))
    rng = np.random.default_rng(9)
    g, direction = rng.normal(size=(2, 9)), rng.normal(size=(9, 6)).astype(np.float32)
    model(ids).backward(g)
    slope = slope_along(model, direction, ids, g)
    tied = model.embedding.weight
    check_close(lambda: (tied.grad * direction).sum(), slope, rtol=1e-2, atol=1e-2)
    ### BEGIN HIDDEN TESTS
    state = model.state_dict()
    x = state["embedding.weight"][ids] * np.sqrt(6) + sinusoidal_table(4, 6)
    h = np.maximum(x @ state["hidden.weight"].T + state["hidden.bias"], 0).mean(axis=1)
    summary = h @ state["output.weight"].T + state["output.bias"]
    check_close(lambda: model(ids).data, summary @ state["embedding.weight"].T, atol=1e-4)
    moved = model(ids).data - model(ids[:, ::-1]).data
    check_equal(lambda: float(np.abs(moved).max()) > 1e-3, True)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_tied_model()

# %% [markdown]
r"""
The mean right after adding would be the mean of the rows plus the mean of the positions, whatever the order: the network would know that there *are* places, and not who stands where. A bend has to come between.

The folded cell trains it: it draws places at random, hides the word there, and walks by AdamW.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "train-missing", "locked": true, "schema_version": 3, "solution": false, "task": false}
AROUND = np.array([-3, -2, -1, 1, 2, 3])  # where the neighbours of a word stand


def windows_of(ids, places):
    """The neighbours of the words at `places`, shape (B, 6), and the words themselves, (B,)."""
    places = places[ids[places] > 0]  # nobody has to guess <other>
    return ids[places[:, None] + AROUND], ids[places]


def train_missing(ids, size, steps, positions=True, seed=0):
    """Train on the first nine tenths of the ids; return the model and its losses.

    With positions=False the table of positions is zeros.
    """
    keep_freed_memory()
    manual_seed(seed)
    rng, end = np.random.default_rng(seed), len(ids) * 9 // 10
    model = MissingWord(size, len(AROUND), d_model=32, hidden=96)
    if not positions:
        model.positions.table[...] = 0
    optimizer = AdamW(model.parameters(), lr=4e-3)
    losses = []
    for _ in range(steps):
        near, words = windows_of(ids, rng.integers(3, end - 3, size=256))
        error = cross_entropy(model(near), words)
        error.backward()
        losses.append(error.item())
        optimizer.step()
        optimizer.zero_grad()
    return model, losses


def held_out_loss(model, ids):
    """The mean loss on the last tenth of the ids, which training never saw."""
    near, words = windows_of(ids, np.arange(len(ids) * 9 // 10 + 3, len(ids) - 3, 4))
    with no_grad():
        return cross_entropy(model(near), words).item()

# %% [markdown]
r"""
Three guesses, in nats (the loss of an even guess among 400 words is $\ln 400 = 6.0$): the loss of a player who knows only how frequent each word is; of the network without positions; of the network with positions.
"""

# %%
def analyze_neighbours():
    """Train with and without positions; then the nearest rows of some words."""
    vocabulary, ids = number_words(read_words(300_000), 400)
    end = len(ids) * 9 // 10
    share = np.bincount(ids[:end], minlength=400)[1:] / (ids[:end] > 0).sum()
    late = ids[end:][ids[end:] > 0]
    print(f"held-out loss, frequencies only: {-np.log(share[late - 1] + 1e-9).mean():.2f}")
    fig, axes = plt.subplots(figsize=(5, 3))
    ends = []
    for positions, mark in ((False, "--"), (True, "-")):
        model, losses = train_missing(ids, 400, steps=1000, positions=positions)
        name = "with positions" if positions else "without positions"
        print(f"held-out loss, {name}: {held_out_loss(model, ids):.2f}")
        smooth = np.convolve(losses, np.ones(25) / 25, "valid")
        ends.append(f"{smooth[-1]:.2f} {name}")
        axes.plot(smooth, mark, label=name)
    axes.set(xlabel="step", ylabel="loss, mean of 25 steps [nats]")
    axes.legend()
    show(fig, alt=f"Loss by step, falling to {' and '.join(ends)}")
    rows = model.embedding.weight.data
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)  # only directions count
    for word in ("if", "True", "TypeError", "+", "0", "is", "self", "raise"):
        closest = np.argsort(-rows @ rows[vocabulary.index(word)])[1:6]
        print(f"{word:>10}: {'  '.join(vocabulary[i] for i in closest)}")


if __name__ == "__main__":
    analyze_neighbours()

# %% [markdown]
r"""
Nobody told the network what a number or an exception is. Words that are missing in the same places got similar rows, because similar rows were what lowered the loss: "you shall know a word by the company it keeps" (Firth, 1957).

What did tying save? Count the numbers of the table against those of all other layers: in a small model most of the weights are the table, and a second one would nearly double it.
"""

# %%
def analyze_tying():
    """Numbers in the table and elsewhere, here and in the smallest GPT-2."""
    model = MissingWord(400, 6, 32, 96)
    table = model.embedding.weight.numel()
    others = sum(p.numel() for p in model.parameters()) - table
    print(f"here: table {table:,}, other layers {others:,}")
    gpt2, tokens, width = 124_439_808, 50_257, 768  # Radford et al. 2019, as released
    print(f"GPT-2: {tokens * width / gpt2:.0%} of {gpt2:,} numbers are its one table;", end=" ")
    print(f"untied it would have {tokens * width / 1e6:.0f} million more")


if __name__ == "__main__":
    analyze_tying()

# %% [markdown]
r"""
## The whole module

The parts together: slopes of lookup and positions, and a network that learns more than the frequencies of words in a hundred and twenty steps.
"""

# %% nbgrader={"grade": true, "grade_id": "test-module-embeddings", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_module():
    """Measured slopes, and a small network that reads Python."""
    rng = np.random.default_rng(10)
    weight, table = rng.normal(size=(5, 2)), rng.normal(size=(4, 2))
    few, ids = np.array([[1, 1, 4], [0, 1, 3]]), np.array([[1, 1, 6], [0, 1, 3]])
    gradient_check(lambda weight: relu(PositionalEncoding(5, 2)(embedding(few, weight))), weight)
    gradient_check(lambda w, t: embedding(few, w) * embedding([0, 1, 2], t), weight, table)
    words = number_words(read_words(20_000), 100)[1]
    losses = train_missing(words, 100, steps=30)[1]
    check_equal(lambda: sum(losses[-10:]) < 0.9 * sum(losses[:10]), True)
    print(f"loss {losses[0]:.2f} -> {sum(losses[-10:]) / 10:.2f} nats in {len(losses)} steps")
    ### BEGIN HIDDEN TESTS
    layer, again = Embedding(7, 4, padding_idx=1), Embedding(7, 4)
    again.load_state_dict(layer.state_dict())
    check_close(lambda: again(ids).data, layer(ids).data)
    (layer(ids).sum() + layer([6, 6]).sum()).backward()
    check_close(lambda: layer.weight.grad[:, 0], [1, 0, 0, 1, 0, 0, 3])
    before = layer.weight.numpy()
    check_raises(IndexError, lambda: layer([[0, 7]]), mentions=["7"])
    check_close(lambda: layer.weight.data, before)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_module()

# %% [markdown]
r"""
**Question.** A vocabulary has 50,000 tokens, a batch 2,048 ids, a row 768 numbers. How many rows of the table does one step's gradient touch at most, and how many numbers does it hold all the same? Which parts of the step pay for the
rest, and what could a framework do instead? What changes about your answer when the table is tied to the output?
"""

# %% [markdown] nbgrader={"grade": true, "grade_id": "q-sparse", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
r"""
At most 2,048 of 50,000 rows, 4 %, get a gradient, yet the array holds 38 million numbers (154 MB), nearly all 0. Making the zeros, the optimizer's walk over weight, gradient and both of its moments, and the clipping of the norm all pay for
every row. A framework can return ids and rows only (a sparse gradient) and let the optimizer update just those. If the table is tied, the product with the output gives every row a gradient, as each word's score was in the softmax: then it is dense anyway.
"""

# %% [markdown]
r"""
**To think about.** Your rule makes its table of zeros anew at each call. The tied model adds the two gradients of its table: in which order in memory does each of them lie, and what does that cost the sum?

A token now has a meaning and a place, but it does not look at the others: your network took a mean. **Module 12** lets each token choose whom to listen to: attention.
"""
