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
# Module 12: Attention

A convolution looks at the neighbours, because somebody decided that neighbours matter. In a sentence the word that matters may stand anywhere: today you build the operation
that lets every position decide for itself where to look. You will measure what that freedom costs, and bring down one half of the bill.

**Needs** `Tensor` (01), layers (03), autograd (05), and, for its network, losses (04) and optimizers (06) | **Exports** `tinytorch.core.attention` | **About** 6 hours | **Points** 90

The two folded cells below import what this page needs.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| default_exp core.attention
#| export
from collections.abc import Iterator
from math import inf, sqrt
from typing import Any

import numpy as np

from tinytorch.core.autograd import Context, Function, derivative, softmax_x
from tinytorch.core.layers import Linear, Module, Parameter, check_probability, dropout, linear
from tinytorch.core.layers import xavier_uniform_, zeros_
from tinytorch.core.tensor import ShapeError, Tensor, op

LOWEST = np.finfo(np.float32).min  # the lowest finite float32, -3.4e38

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "page-imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
import matplotlib.pyplot as plt  # this page only: plots and measurements are not exported

from tinytorch.core.autograd import gradient_check, no_grad
from tinytorch.core.losses import cross_entropy
from tinytorch.core.optimizers import AdamW
from tinytorch.core.tensor import keep_freed_memory, manual_seed
from tito.lab import bench, check_close, check_equal, check_without
from tito.lab import compare, peak_bytes, show

# %% [markdown]
r"""
## A dictionary that answers in shades

Look before you read. Eight words stand in a row, each described by three numbers: is it a person, a thing, an action? The last word, *her*, asks for a person: quietly on the left, three times as
loud on the right. What changes, and what would a question of loudness 0 get?
"""


# %%
def analyze_question():
    """One question to eight words, asked quietly and loudly, and how each word's weight answers."""
    words = ["Ada", "gave", "the", "book", "to", "Bob", "and", "her"]
    person, thing = [1, 0, 0, 0, 0, 0.8, 0, 0.3], [0, 0, 0, 1, 0, 0, 0, 0]
    keys = np.float32([person, thing, [0, 1, 0, 0, 0, 0, 0, 0]]).T  # (8, 3): what each word offers
    fig, axes = plt.subplots(1, 2, figsize=(8, 2.6), sharey=True)
    for ax, loud in zip(axes, (2, 6), strict=True):
        scores = keys @ np.float32([loud, 0, 0])  # (8,): the question is "a person?"
        weights = np.exp(scores) / np.exp(scores).sum()
        ax.bar(words, weights)
        ax.set_title(f"question ({loud}, 0, 0)", fontsize=9)
        ax.tick_params(axis="x", labelsize=7)
        rest = 1 - weights[0] - weights[5]
        print(f"loudness {loud}: Ada {weights[0]:.2f}, Bob {weights[5]:.2f}, the rest {rest:.2f}")
    axes[0].set_ylabel("weight")
    show(fig, alt="Weights of eight words: Ada and Bob lead; a louder question leaves no others")


if __name__ == "__main__":
    analyze_question()

# %% [markdown]
r"""
A Python dictionary compares a **query** with its **keys** and returns the **value** of the one that is equal. Attention does the same in shades, so that it has a derivative: it
scores every key by its product with the query, turns the scores into weights with a softmax, and returns the *mean* of all values with these weights.

$$\text{out}_t = \sum_s w_{ts}\, v_s \qquad w_{ts} = \frac{e^{z_{ts}}}{\sum_r e^{z_{tr}}} \qquad z_{ts} = \frac{q_t \cdot k_s}{\sqrt{d}}$$

(Vaswani et al., *Attention is all you need*, 2017; why $\sqrt d$, you will measure.) By hand, with $d = 1$: the query 1, the keys 0 and $\log 3$, the values 4 and 8. The scores are
0 and $\log 3$, the weights 1/4 and 3/4, the result $1/4 \cdot 4 + 3/4 \cdot 8 = 7$.

Write it as it stands, with a loop for every index. On this page $T$ counts queries and $S$ keys, since one text may ask another.
"""


# %% nbgrader={"grade": false, "grade_id": "attention-loops", "locked": false, "schema_version": 3, "solution": true, "task": false}
def attention_loops(
    q: np.ndarray, k: np.ndarray, v: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Answer every query, by explicit loops.

    Args:
        q: queries, shape (T, d).
        k: keys, shape (S, d).
        v: values, shape (S, e).

    Returns:
        The answers, float32 of shape (T, e), and the weights, float32 of shape (T, S).

    TODO: the three formulas, with loops over t and s and without a matrix product.
    APPROACH: 1. for each t: a score for each s  2. exponentials of the scores minus their largest
        3. divide them by their sum: row t of the weights  4. add up weight times value
    EXAMPLE:
        >>> out, weights = attention_loops(np.ones((1, 1)), np.zeros((2, 1)), np.array([[4], [8]]))
        >>> out.tolist(), weights.tolist()
        ([[6.0]], [[0.5, 0.5]])

    HINT: a row of products adds up with `sum(a * b for a, b in zip(q[t], k[s], strict=True))`.
    """
    ### BEGIN SOLUTION
    (T, d), S = q.shape, len(k)
    out, weights = np.zeros((T, v.shape[1]), np.float32), np.zeros((T, S), np.float32)
    for t in range(T):
        scores = [sum(a * b for a, b in zip(q[t], k[s], strict=True)) / sqrt(d) for s in range(S)]
        exponentials = [np.exp(score - max(scores)) for score in scores]
        for s in range(S):
            weights[t, s] = exponentials[s] / sum(exponentials)
            out[t] += weights[t, s] * v[s]
    return out, weights
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-attention-loops", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_attention_loops():
    """The example of the text, the root, scores of a thousand, and loops indeed."""
    q, k, v = np.float32([[1]]), np.log(np.float32([[1], [3]])), np.float32([[4], [8]])
    check_close(lambda: attention_loops(q, k, v)[0], [[7]])
    q, k = np.float32([[2, 0, 0, 0], [4000, 0, 0, 0]]), np.log(np.float32([[1] * 4, [3] * 4]))
    check_close(lambda: attention_loops(q, k, v)[1], [[0.25, 0.75], [0, 1]])
    check_close(lambda: attention_loops(q, k, v)[0], [[7], [8]])
    check_equal(lambda: attention_loops(q, k, v)[0].dtype.name, "float32")
    check_without(attention_loops, "@", "einsum", "matmul", "dot", "vdot", "inner", "tensordot")
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(0)
    q, k, v = (rng.normal(size=s) for s in ((3, 4), (5, 4), (5, 2)))
    shades = np.exp(q @ k.T / 2)
    shades /= shades.sum(axis=1)[:, None]
    check_close(lambda: attention_loops(q, k, v)[1], shades)
    check_close(lambda: attention_loops(q, k, v)[0], shades @ v)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_attention_loops()

# %% [markdown]
r"""
## Three lines for a whole batch

All scores of a text are one product, $Q K^\top$, and all answers another, $W V$. With `@` on the last two axes, the leading ones can be anything: texts of a batch, heads of a layer.
In between stands the softmax of module 02, row by row. First the scores.

And why the root? Say the numbers of $q$ and $k$ are independent, with mean 0 and variance 1. What is the variance of their product $q \cdot k$, a sum of $d$ terms? And what does a
softmax make of scores that are 10 apart?
"""

# %% nbgrader={"grade": false, "grade_id": "attention-scores", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def attention_scores(query: Tensor, key: Tensor) -> Tensor:
    """Score every key for every query: their product, divided by the root of its length.

    Args:
        query: shape (..., T, d).
        key: shape (..., S, d).

    Returns:
        Tensor of shape (..., T, S).

    TODO: the scores of all queries and keys in one product.
    APPROACH: 1. the last two axes of key change places  2. the product  3. divide by the root of d
    EXAMPLE:
        >>> attention_scores(Tensor([[2.0, 0, 0, 0]]), Tensor([[3.0, 0, 0, 0], [0, 1, 0, 0]])).data
        array([[3., 0.]], dtype=float32)

    HINT: there are d times fewer numbers in query than products to make of them: divide it first.
    """
    ### BEGIN SOLUTION
    d = query.shape[-1]
    return (query * (1 / sqrt(d))) @ key.transpose(-2, -1)  # (..., T, d) @ (..., d, S)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-attention-scores", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_attention_scores():
    """By hand, and a batch whose axes must stay apart."""
    q, k = Tensor([[1.0, 2, 3, 4]]), Tensor([[1.0, 1, 1, 1], [0, 0, 0, 2]])
    check_close(lambda: attention_scores(q, k).data, [[5, 4]])
    q, k = Tensor([[[3.0]], [[5.0]]]), Tensor([[[1.0], [2.0]], [[10.0], [20.0]]])
    check_close(lambda: attention_scores(q, k).data, [[[3, 6]], [[50, 100]]])
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 3, 4, 9)), rng.normal(size=(2, 3, 5, 9))
    q, k = Tensor(a), Tensor(b)
    check_close(lambda: attention_scores(q, k).data, np.einsum("bhtd,bhsd->bhts", a, b) / 3)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_attention_scores()


# %%
def analyze_root():
    """How much of the weight the best of 64 random keys takes, with and without the root."""
    rng = np.random.default_rng(0)
    sizes, shares, spreads = [4, 16, 64, 256, 1024], {"q k": [], "q k / root d": []}, []
    for d in sizes:
        q, k = Tensor(rng.normal(size=(200, d))), Tensor(rng.normal(size=(64, d)))
        divided = attention_scores(q, k).data.astype(np.float64)
        spreads.append((divided * sqrt(d)).std())
        for name, scores in zip(shares, (divided * sqrt(d), divided), strict=True):
            behind = scores.max(axis=1)[:, None] - scores  # how far each key is behind the best
            shares[name].append((1 / np.exp(-behind).sum(axis=1)).mean())
    fig, ax = plt.subplots(figsize=(5, 3))
    for (name, values), mark in zip(shares.items(), "os", strict=True):
        ax.semilogx(sizes, values, f"{mark}-", base=2, label=name)
    ax.set(xlabel="d", ylabel="weight of the best key", ylim=(0, 1))
    ax.legend()
    show(fig, alt="Undivided scores give one key nearly everything as d grows; divided ones do not")
    pairs = zip(sizes, spreads, strict=True)
    print("spread of q k:", ", ".join(f"{spread:.1f} at d = {d}" for d, spread in pairs))


if __name__ == "__main__":
    analyze_root()

# %% [markdown]
r"""
The variance is $d$, the spread $\sqrt d$. Undivided, a wide layer would start out as a hard dictionary: nearly all the weight on one key by accident, and where one weight is 1
and the others are 0, a softmax passes hardly any gradient. Divided, every layer starts by looking at everything.

## Not everything may be seen

Two kinds of places must not be looked at: padding, and, when a text predicts its own next word, everything that comes later. A **mask** says so. There are two ways to
write one, and PyTorch's function takes both: booleans, True where a query *may* look, and numbers that are *added* to the scores. One becomes the other: what is not allowed gets $-\infty$, and
$e^{-\infty} = 0$.

```
causal, T = 3     True  False False          0  -inf  -inf
                  True  True  False          0    0   -inf
                  True  True  True           0    0     0
```

Adding before the softmax matters: weights that are set to zero *after* it leave rows that no longer sum to 1, and later words have already moved the others.

Be careful with `nn.MultiheadAttention` of PyTorch: there a boolean mask means the opposite, True where one may *not* look. In this course True always means "may look".
"""

# %% nbgrader={"grade": false, "grade_id": "masks", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def causal_mask(T: int, S: int) -> np.ndarray:
    """Say for T queries and S keys who may see whom: query t the keys 0 to t.

    Returns:
        Boolean array of shape (T, S).
    """
    ### BEGIN SOLUTION
    return np.arange(T)[:, None] >= np.arange(S)  # (T, 1) >= (S,) -> (T, S)
    ### END SOLUTION


def as_numbers(allowed: np.ndarray) -> np.ndarray:
    """Turn a boolean mask into what is added to scores.

    Args:
        allowed: booleans of any shape, True where a query may look.

    Returns:
        float32 array of the same shape.

    TODO: both functions, without a loop.
    APPROACH: 1. compare the places of queries, as a column, with those of keys, as a row
        2. choose between two numbers
    EXAMPLE:
        >>> as_numbers(causal_mask(2, 2))
        array([[  0., -inf],
               [  0.,   0.]], dtype=float32)

    HINT: np.where(mask, a, b) of Python's floats is float64; of np.float32(...) it is float32.
    """
    ### BEGIN SOLUTION
    return np.where(allowed, np.float32(0), np.float32(-inf))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-masks", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_masks():
    """The drawing, more keys than queries, and the type."""
    check_equal(lambda: causal_mask(3, 3).astype(int).tolist(), [[1, 0, 0], [1, 1, 0], [1, 1, 1]])
    check_equal(lambda: causal_mask(1, 3).tolist(), [[True, False, False]])
    allowed = np.array([[True, False]])
    check_close(lambda: as_numbers(allowed), [[0, -np.inf]])
    check_equal(lambda: as_numbers(allowed).dtype.name, "float32")
    ### BEGIN HIDDEN TESTS
    check_equal(lambda: causal_mask(4, 2).astype(int).tolist(), [[1, 0], [1, 1], [1, 1], [1, 1]])
    check_equal(lambda: causal_mask(3, 5).dtype.name, "bool")
    deep = np.random.default_rng(2).random((2, 1, 3, 4)) < 0.5
    check_close(lambda: np.exp(as_numbers(deep)), deep * 1.0)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_masks()

# %% [markdown]
r"""
What if a query may look *nowhere*, such as the padding of a short text? All its scores are $-\infty$, so is the largest, and $-\infty - (-\infty)$ is `nan`. One `nan` in one row, and after a backward pass
every weight of the network is `nan`. PyTorch's `softmax` says `nan` there, and so does its `nn.MultiheadAttention` when it is asked for its weights; its fast function says 0. A mean over nothing has no value, but a weighted
*sum* over nothing is 0, and what was not looked at gets no gradient: here such a row has weights 0, answer 0 and gradient 0, whichever way it is computed.

Two guards make it so. The largest score is held at `LOWEST`, the lowest *finite* float32, so that $-\infty$ minus it is $-\infty$ and not `nan`. And a sum of 0 is divided by as if it were 1.
"""

# %% nbgrader={"grade": false, "grade_id": "row-softmax", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@op
def row_softmax(scores, bias=None):
    """Turn each row of scores into weights that sum to 1, or to 0 where all are -inf.

    Args:
        scores: shape (..., T, S).
        bias: what is added to them, a shape that broadcasts to that of scores; or None.

    Returns:
        array of shape (..., T, S).

    TODO: the softmax of module 02 over the last axis, with the bias and the two guards.
    APPROACH: 1. add the bias, if there is one  2. the row's maximum, at least LOWEST
        3. exponentials of the differences  4. their sum, 1 where it is 0  5. divide
    EXAMPLE:
        >>> row_softmax(Tensor([[5.0, 5.0], [1.0, 2.0]]), Tensor([[0.0, 0.0], [-inf, -inf]])).data
        array([[0.5, 0.5],
               [0. , 0. ]], dtype=float32)

    HINT: `max` has a word for "at least": initial=LOWEST. `total[total == 0] = 1` mends a sum.
    """
    ### BEGIN SOLUTION
    if bias is not None:
        scores = scores + bias
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True, initial=LOWEST))  # (..., T, S)
    total = weights.sum(axis=-1, keepdims=True)  # (..., T, 1)
    total[total == 0] = 1
    weights /= total
    return weights
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-row-softmax", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_row_softmax():
    """With a bias, without, large scores, and rows that see nothing: no nan, no warning."""
    scores, bias = Tensor([[0.0, np.log(3), 9.0], [1.0, 2.0, 3.0]]), Tensor([0.0, 0.0, -np.inf])
    check_close(lambda: row_softmax(scores, bias).data[0], [0.25, 0.75, 0])
    check_close(lambda: row_softmax(scores * 0).data, np.full((2, 3), 1 / 3))
    far, nothing = Tensor([[-2000.0, -1000.0]]), Tensor([[-np.inf, -np.inf]])
    check_close(lambda: row_softmax(far).data, [[0, 1]])
    check_close(lambda: row_softmax(far, nothing).data, [[0, 0]])
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(3)
    z, b = rng.normal(size=(2, 4, 5)) * 30, rng.normal(size=(4, 5))
    b[2], b[3, 1:] = -np.inf, -np.inf
    e = np.exp(z + b - 50)
    e[:, 2] = 0
    wanted = e / np.maximum(e.sum(axis=-1, keepdims=True), 1e-300)
    scores, bias = Tensor(z), Tensor(b)
    check_close(lambda: row_softmax(scores, bias).data, wanted)
    check_close(lambda: row_softmax(Tensor(np.zeros((2, 0)))).data, np.zeros((2, 0)))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_row_softmax()

# %% [markdown]
r"""
Its gradient is that of module 05's softmax: $w\,(g - \sum_s g_s w_s)$, with the weights in front. What does it give for a row of zeros? The bias is added to the scores, so it gets the same gradient;
the engine sums over the axes that were stretched. A mask that can be *learned* comes for free.

Then attention is: scores, softmax, dropout on the weights if there is any (some keys are forgotten at random while training, so that no answer hangs on a single one), and the mean.
"""

# %% nbgrader={"grade": false, "grade_id": "row-softmax-rules", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@derivative(row_softmax, "scores")
def row_softmax_scores(g, out):
    """w (g - sum(g w)), as in module 05; a row of zeros gets zeros."""
    return softmax_x(g, out, -1)


@derivative(row_softmax, "bias")
def row_softmax_bias(g, out):
    """The same: the bias is added to the scores."""
    return softmax_x(g, out, -1)


# %% nbgrader={"grade": false, "grade_id": "composed", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def composed_attention(
    query: Tensor, key: Tensor, value: Tensor, bias: Any = None, dropout_p: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Attention, composed of operations that have their derivatives already.

    Args:
        query: shape (..., T, d).
        key: shape (..., S, d).
        value: shape (..., S, e).
        bias: added to the scores, or None.
        dropout_p: share of the weights that is dropped.

    Returns:
        The answers, shape (..., T, e), and the weights before dropout, shape (..., T, S).

    TODO: scores, weights, dropout, answers.
    APPROACH: 1. two functions of yours  2. `dropout` of module 03  3. a product
    EXAMPLE:
        >>> q, k, v = Tensor([[1.0]]), Tensor([[0.0], [0.0]]), Tensor([[4.0], [8.0]])
        >>> composed_attention(q, k, v)[0].data
        array([[6.]], dtype=float32)

    HINT: keep the weights in a name of their own: they are returned as they were.
    """
    ### BEGIN SOLUTION
    weights = row_softmax(attention_scores(query, key), bias)  # (..., T, S)
    return dropout(weights, dropout_p) @ value, weights  # (..., T, S) @ (..., S, e)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-composed", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_composed():
    """As the loops; a causal batch; weights whole, answers with gaps under dropout."""
    rng = np.random.default_rng(4)
    a, b, c = (rng.normal(size=s) for s in ((3, 4), (5, 4), (5, 2)))
    q, k, v = Tensor(a), Tensor(b), Tensor(c)
    expected, shades = attention_loops(a, b, c)
    check_close(lambda: composed_attention(q, k, v)[0].data, expected)
    check_close(lambda: composed_attention(q, k, v)[1].data, shades)
    first = Tensor(as_numbers(np.eye(3, 5, dtype=bool)))
    check_close(lambda: composed_attention(q, k, v, first)[0].data, c[:3])
    check_close(lambda: composed_attention(q, k, v, None, 1.0)[0].data, np.zeros((3, 2)))
    check_close(lambda: composed_attention(q, k, v, None, 1.0)[1].data, shades)
    ### BEGIN HIDDEN TESTS
    gradient_check(lambda q, k, v: composed_attention(q, k, v)[0], a[:2, :2], b[:3, :2], c[:3])
    manual_seed(0)
    many = Tensor(np.tile(a[:1], (2000, 1)))  # one question, often
    kept = composed_attention(many, k, v, None, 0.5)[0].data
    check_close(lambda: kept.mean(axis=0), expected[0], atol=0.1)
    check_equal(lambda: len(np.unique(kept[:, 0].round(4))) > 20, True)  # of 2^5 selections
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_composed()

# %% [markdown]
r"""
Now a guess: a text twice as long, how much longer does attention take, and how much more memory? Write down both factors. And what length would fill a gigabyte with the weights of four heads
alone?
"""


# %%
def analyze_length():
    """Time and memory of forward and backward by the length of the text, and the slopes."""
    keep_freed_memory()
    rng = np.random.default_rng(0)
    lengths, times, peaks = [128, 256, 512, 1024], [], []

    def step(q, k, v):
        composed_attention(q, k, v)[0].sum().backward()

    for T in lengths:
        parts = [Tensor(rng.normal(size=(1, 4, T, 32)), requires_grad=True) for _ in range(3)]
        times.append(bench(step, *parts, samples=3).low_ms)
        peaks.append(peak_bytes(step, *parts) / 1e6)
        print(f"T = {T:4}: {times[-1]:7.2f} ms, {peaks[-1]:6.1f} MB")
    fig, axes = plt.subplots(1, 2, figsize=(8, 3))
    measured = {"milliseconds": times, "MB at the peak": peaks}
    for ax, (unit, values) in zip(axes, measured.items(), strict=True):
        ax.loglog(lengths, values, "o-", label="measured")
        ax.loglog(lengths, [values[-1] * (T / 1024) ** 2 for T in lengths], "--", label="T squared")
        ax.set(xlabel="T", ylabel=unit)
        ax.set_xticks(lengths, lengths, minor=False)
        ax.set_xticks([], minor=True)
        ax.legend()
    show(fig, alt="Time and peak memory by length on logarithmic axes, beside a parabola")
    longer, larger = times[-1] / times[-2], peaks[-1] / peaks[-2]
    print(f"from 512 to 1024: {longer:.1f} times the time, {larger:.1f} times the memory")
    print(f"four heads fill a gigabyte with one array of weights at T = {sqrt(1e9 / 16):,.0f}")


if __name__ == "__main__":
    analyze_length()

# %% [markdown]
r"""
Every query meets every key: that is the price of looking anywhere. Both factors come back at the end of the page, where one of them can be brought down.

## Heads

One softmax can say one thing: "the subject is over there". To ask several questions at a time, cut the $C$ channels of each position into $H$ **heads** of $d = C/H$, and let each
attend on its own. It costs no more products than one wide head; only the weights are $H$ times as many.

```
(T, C) = (2, 6), H = 3        a0 a1 | a2 a3 | a4 a5        head 0: a0 a1    head 1: a2 a3    head 2: a4 a5
                              b0 b1 | b2 b3 | b4 b5                b0 b1            b2 b3            b4 b5
```

The product needs (..., H, T, d): the heads stand with the batch. `reshape(H, T, d)` would have the right shape and the wrong numbers. (Which would head 0 get?) First the last axis is cut in two, then two axes
change places.
"""

# %% nbgrader={"grade": false, "grade_id": "heads", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """Cut the channels into heads: (..., T, C) -> (..., H, T, C/H)."""
    ### BEGIN SOLUTION
    apart = x.reshape(*x.shape[:-1], num_heads, x.shape[-1] // num_heads)  # (..., T, H, d)
    return apart.transpose(-3, -2)  # (..., H, T, d)
    ### END SOLUTION


def merge_heads(x: Tensor) -> Tensor:
    """Put the heads side by side again: (..., H, T, d) -> (..., T, H * d).

    TODO: both directions.
    APPROACH: 1. there: cut the last axis, then exchange two  2. back: exchange, then join
    EXAMPLE:
        >>> split_heads(Tensor([[1, 2, 3, 4], [5, 6, 7, 8]]), 2).data.tolist()
        [[[1.0, 2.0], [5.0, 6.0]], [[3.0, 4.0], [7.0, 8.0]]]

    HINT: x.transpose(-3, -2) exchanges two axes; x.shape[:-1] are all but the last.
    """
    ### BEGIN SOLUTION
    together = x.transpose(-3, -2)  # (..., T, H, d)
    return together.reshape(*together.shape[:-2], x.shape[-3] * x.shape[-1])  # (..., T, C)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-heads", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_heads():
    """The drawing, and there and back for a batch."""
    x = Tensor([[0, 1, 2, 3, 4, 5], [10, 11, 12, 13, 14, 15]])
    check_close(lambda: split_heads(x, 3).data[1], [[2, 3], [12, 13]])
    check_close(lambda: merge_heads(split_heads(x, 3)).data, x.data)
    check_equal(lambda: split_heads(Tensor(np.zeros((2, 5, 12))), 4).shape, (2, 4, 5, 3))
    ### BEGIN HIDDEN TESTS
    a = np.random.default_rng(5).normal(size=(2, 3, 8))
    deep = Tensor(a)
    check_close(lambda: split_heads(deep, 2).data[1, 1], a[1, :, 4:])
    check_close(lambda: split_heads(deep, 1).data[:, 0], a)
    b = np.random.default_rng(6).normal(size=(2, 4, 3, 5))
    apart = Tensor(b)
    check_close(lambda: merge_heads(apart).data, np.concatenate(list(b.swapaxes(0, 1)), axis=-1))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_heads()

# %% [markdown]
r"""
## One operation both ways

Composed attention leaves a node for each of its steps, and each keeps an array with $T \times S$ numbers per head, or makes one on the way back. Write it as **one** operation on raw arrays, and
three things become visible that no single step could know.

**The weights need never be divided.** With $e = e^z$, row by row, and $n_t = \sum_s e_{ts}$, the answer is $(e\,V)_t / n_t$: dividing $d$ numbers instead of $S$. The exponentials can lie where the scores were.

**The maximum can often be left out.** It is there to keep $e^z$ finite. But $|q \cdot k| \le |q|\,|k|$ (Cauchy and Schwarz), so the longest query and the longest key bound *all* scores, at the price of looking at $T d$
numbers instead of $T S$. Below 30, $e^z$ lies between $10^{-13}$ and $10^{13}$, and nothing needs protection.
"""

# %% nbgrader={"grade": false, "grade_id": "largest-score", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def largest_score(q: np.ndarray, k: np.ndarray) -> float:
    """Return a number that no |score| exceeds: the longest query's length times the longest key's.

    Args:
        q: queries, divided by the root of d already, shape (..., T, d).
        k: keys, shape (..., S, d).

    Returns:
        A number; 0 where there are no queries or no keys.

    TODO: the bound, without a score.
    APPROACH: 1. the squared length of each row  2. the largest of q's, of k's  3. a root
    EXAMPLE:
        >>> largest_score(np.float32([[3, 4], [1, 0]]), np.float32([[0, 2]]))
        10.0

    HINT: np.vecdot(a, a) adds up the squares of the last axis; `max` needs initial=0 for no rows.
    """
    ### BEGIN SOLUTION
    longest_q = np.vecdot(q, q).max(initial=0)
    longest_k = np.vecdot(k, k).max(initial=0)
    return sqrt(float(longest_q) * float(longest_k))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-largest-score", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_largest_score():
    """By hand, a batch, and nothing at all."""
    q, k = np.float32([[[3, 4], [1, 0]], [[0, 0], [6, 8]]]), np.float32([[[0, 2]], [[1, 0]]])
    check_close(lambda: largest_score(q[0], k[0]), 10.0)
    check_close(lambda: largest_score(q, k), 20.0)
    check_close(lambda: largest_score(q[:0], k), 0.0)
    check_without(largest_score, "@", "matmul", "attention_scores")
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(7)
    q, k = (rng.normal(size=(2, 3, n, 8)).astype(np.float32) for n in (5, 7))
    wanted = np.linalg.norm(q, axis=-1).max() * np.linalg.norm(k, axis=-1).max()
    check_close(lambda: largest_score(q, k), wanted)
    check_close(lambda: largest_score(-q / 100, k / 100), wanted / 10_000)
    check_close(lambda: largest_score(q, k[:, :, :0]), 0.0)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_largest_score()

# %% [markdown]
r"""
Now the step itself. It is handed the scores, mask and all, and writes its exponentials over them, because nobody needs the scores any more. It does not divide yet: at the end of the page you will need
the sums as they are.
"""

# %% nbgrader={"grade": false, "grade_id": "weigh", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def weigh(
    scores: np.ndarray, value: np.ndarray, shift: bool = True
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Turn scores into exponentials where they lie, and add up the values with them.

    Args:
        scores: shape (..., T, S); holds e^(scores - top) afterwards.
        value: shape (..., S, e).
        shift: whether the row's maximum must be subtracted; if not, top is 0.

    Returns:
        The sums of exponential times value, shape (..., T, e); the sums of exponentials, shape
        (..., T, 1); and top, shape (..., T, 1).

    TODO: the three, without a second array of the size of scores.
    APPROACH: 1. top, at least LOWEST as in row_softmax, or zeros  2. subtract it in place, if shift
        3. exponentiate in place  4. two products
    EXAMPLE:
        >>> scores = np.log(np.float32([[1, 3]]))
        >>> [part.round(2).tolist() for part in weigh(scores, np.float32([[4], [8]]), shift=False)]
        [[[28.0]], [[4.0]], [[0.0]]]

    HINT: np.exp(a, out=a) writes over a. A product with a column of ones adds up rows, and BLAS
        does it faster than `sum` does.
    """
    ### BEGIN SOLUTION
    if shift:
        top = scores.max(axis=-1, keepdims=True, initial=LOWEST)  # (..., T, 1)
        scores -= top
    else:
        top = np.zeros((*scores.shape[:-1], 1), np.float32)
    np.exp(scores, out=scores)
    ones = np.ones((scores.shape[-1], 1), np.float32)
    return scores @ value, scores @ ones, top  # (..., T, S) @ (..., S, e) and (S, 1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-weigh", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_weigh():
    """The example in place, large scores, and a row that sees nothing."""
    value, small = np.float32([[4], [8]]), np.log(np.float32([[1, 3]]))
    check_close(lambda: weigh(small.copy(), value, shift=False)[0], [[28]])
    check_close(lambda: weigh(small.copy(), value)[:2], [[[28 / 3]], [[4 / 3]]])
    large = np.float32([[1000, 1000], [-np.inf, -np.inf]])
    check_close(lambda: weigh(large.copy(), value)[0], [[12], [0]])
    check_close(lambda: weigh(large.copy(), value)[2], np.float32([[1000], [LOWEST]]))
    check_close(lambda: [weigh(small, value), small][1], [[1 / 3, 1]])
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(8)
    z, v = (rng.normal(size=(2, 3, *n)).astype(np.float32) for n in ((4, 5), (5, 6)))
    e, top = np.exp(z), z.max(axis=-1, keepdims=True)
    check_close(lambda: weigh(z.copy(), v, False)[0], e @ v)
    check_close(lambda: weigh(z.copy(), v, False)[1:], [e.sum(-1, keepdims=True), 0 * top])
    check_close(lambda: weigh(z.copy(), v)[0], e @ v / np.exp(top))
    check_close(lambda: weigh(z.copy(), v)[2], top)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_weigh()

# %% [markdown]
r"""
The third thing is the gradient. Write $O_t = \sum_s w_{ts} v_s$ with $w_{ts} = e_{ts}/n_t$, and let $g$ be the gradient for $O$. Two rules of module 05, one after the other:

$$\frac{\partial L}{\partial v_s} = \sum_t w_{ts}\, g_t \qquad \frac{\partial L}{\partial w_{ts}} = g_t \cdot v_s \qquad \frac{\partial L}{\partial z_{ts}} = w_{ts}\Big(g_t \cdot v_s - \sum_r w_{tr}\,(g_t \cdot v_r)\Big)$$

The last sum runs over a whole row of $T \times S$ numbers. But $g_t$ does not depend on $r$, so it can be pulled out. What is left is an old friend: $\sum_r w_{tr}\,(g_t \cdot v_r) = g_t \cdot O_t$, a product of two short
rows (Dao et al., *FlashAttention*, 2022, appendix B). And the division? $w$ now stands once in each formula, always beside a $g_t$: divide $g$ by $n$ once, and write $e$ for $w$ everywhere.
"""

# %% nbgrader={"grade": false, "grade_id": "attention-gradients", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def attention_gradients(
    g: np.ndarray, q: np.ndarray, k: np.ndarray, v: np.ndarray,
    e: np.ndarray, total: np.ndarray, out: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Gradients of out = (e @ v) / total, with e = exp(q @ k.T - top), for q, k and v.

    Args:
        g: gradient for out, shape (..., T, e).
        q, k, v: shapes (..., T, d), (..., S, d) and (..., S, e).
        e: exponentials, shape (..., T, S); they stay as they are.
        total: what was divided by, shape (..., T, 1).
        out: the answers, shape (..., T, e).

    Returns:
        dq, dk and dv, in the shapes of q, k and v.

    TODO: the gradients, with one new array of the shape of e.
    APPROACH: 1. g / total  2. dv, from e  3. the gradient for the scores: a product, less the short
        sum, times e, all in one array  4. dq and dk, from it
    EXAMPLE:
        >>> one, two = np.ones((1, 1), np.float32), np.ones((2, 1), np.float32)
        >>> dq, dk, dv = attention_gradients(one, one, two, two * 3, two.T, one * 2, one * 3)
        >>> dq.tolist(), dk.tolist(), dv.tolist()
        ([[0.0]], [[0.0], [0.0]], [[0.5], [0.5]])

    HINT: a.swapaxes(-1, -2) turns each matrix; np.vecdot(a, b)[..., None] is (..., T, 1).
    """
    ### BEGIN SOLUTION
    g = g / total  # (..., T, e)
    dv = e.swapaxes(-1, -2) @ g  # (..., S, T) @ (..., T, e)
    ds = g @ v.swapaxes(-1, -2)  # (..., T, e) @ (..., e, S)
    ds -= np.vecdot(g, out)[..., None]
    ds *= e
    return ds @ k, ds.swapaxes(-1, -2) @ q, dv
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-attention-gradients", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_attention_gradients():
    """Against the slopes that autograd finds in the composed attention."""
    rng = np.random.default_rng(9)
    arrays = [rng.normal(size=s).astype(np.float32) for s in ((3, 4), (5, 4), (5, 2), (3, 2))]
    q, k, v, g = arrays
    parts = [Tensor(x, requires_grad=True) for x in (q * 2, k, v)]  # 2 is the root of d
    composed_attention(*parts)[0].backward(g)
    e = np.exp(q @ k.T)
    total = np.sum(e, axis=1, keepdims=True)
    out = e @ v / total
    check_close(lambda: attention_gradients(g, q, k, v, e, total, out)[0], 2 * parts[0].grad)
    check_close(lambda: attention_gradients(g, q, k, v, e, total, out)[1], parts[1].grad)
    check_close(lambda: attention_gradients(g, q, k, v, e, total, out)[2], parts[2].grad)
    ### BEGIN HIDDEN TESTS
    q, k, v = (rng.normal(size=(2, 3, n, d)) for n, d in ((4, 3), (5, 3), (5, 2)))
    e = np.exp(q @ k.swapaxes(-1, -2))
    total, g, kept = e.sum(axis=-1, keepdims=True), rng.normal(size=(2, 3, 4, 2)), e.copy()
    w, out, slope = e / total, e @ v / total, np.einsum("bhte,bhse->bhts", g, v)
    slope = w * (slope - (w * slope).sum(axis=-1, keepdims=True))
    wanted = [slope @ k, np.einsum("bhts,bhtd->bhsd", slope, q), w.swapaxes(-1, -2) @ g]
    for i in range(3):
        check_close(lambda i=i: attention_gradients(g, q, k, v, e, total, out)[i], wanted[i])
    check_close(lambda: [attention_gradients(g, q, k, v, e, total, out), e][1], kept)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_attention_gradients()

# %% [markdown]
r"""
The folded cell makes an operation of your two steps. It goes over the queries in blocks of 64. In the causal case a block sees no keys after its own end: of 128 positions a quarter of all
scores is never computed, of very many nearly half. What it keeps for the way back is $e$, $n$ and the answers.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "fused", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
BLOCK = 64  # queries at a time
SAFE = 30.0  # scores below it need no shift: their exponentials lie between 1e-13 and 1e13


def query_blocks(T: int, S: int, causal: bool) -> Iterator[tuple[slice, int]]:
    """Cut T queries into blocks, and say how many of S keys each block may see."""
    for start in range(0, T, BLOCK):
        stop = min(start + BLOCK, T)
        yield slice(start, stop), min(stop, S) if causal else S


def needs_shift(q: np.ndarray, k: np.ndarray, bias: np.ndarray | None) -> bool:
    """Whether some score could be so large that its exponential needs care."""
    largest = largest_score(q, k)
    if bias is not None:
        largest += float(np.abs(bias[np.isfinite(bias)]).max(initial=0))
    return not largest < SAFE  # also if it is nan


def attend(q: np.ndarray, k: np.ndarray, v: np.ndarray, bias: np.ndarray | None, causal: bool,
           out: np.ndarray, keep: bool) -> list[tuple[np.ndarray, np.ndarray]]:
    """Write the answers to all queries into `out`, a block at a time.

    Returns:
        (exponentials, sums) of each block for the way back, if `keep`.
    """
    (T, S), kept = (q.shape[-2], k.shape[-2]), []
    shift = needs_shift(q, k, bias)
    if bias is not None:
        bias = np.broadcast_to(bias, (*q.shape[:-1], S))
    for rows, seen in query_blocks(T, S, causal):
        e = q[..., rows, :] @ k[..., :seen, :].swapaxes(-1, -2)  # (..., block, seen)
        if bias is not None:
            e += bias[..., rows, :seen]
        if causal:  # only in the corner where rows and keys are the same places
            corner = e[..., rows.start :]
            corner += as_numbers(causal_mask(*corner.shape[-2:]))
        answers, total, _ = weigh(e, v[..., :seen, :], shift)
        total[total == 0] = 1
        np.divide(answers, total, out=out[..., rows, :])
        if keep:
            kept.append((e, total))
    return kept


def attend_backward(g: np.ndarray, q: np.ndarray, k: np.ndarray, v: np.ndarray, causal: bool,
                    out: np.ndarray, kept: list, gradients: Any) -> None:
    """Write the gradients for q, k and v into `gradients`, three arrays of zeros."""
    dq, dk, dv = gradients
    for rows, seen in query_blocks(q.shape[-2], k.shape[-2], causal):
        e, total = kept.pop(0)  # needed once: its memory is free for the next block
        keys, values = k[..., :seen, :], v[..., :seen, :]
        mine = (g[..., rows, :], q[..., rows, :], keys, values, e, total, out[..., rows, :])
        dq[..., rows, :], for_keys, for_values = attention_gradients(*mine)
        dk[..., :seen, :] += for_keys
        dv[..., :seen, :] += for_values


class Attention(Function):
    """Attention of (..., T, d) to (..., S, d) and (..., S, e) in one operation."""

    @staticmethod
    def forward(ctx: Context, q: np.ndarray, k: np.ndarray, v: np.ndarray,
                bias: np.ndarray | None, causal: bool) -> np.ndarray:
        ctx.scale = np.float32(1 / sqrt(q.shape[-1]))
        ctx.q, ctx.k, ctx.v, ctx.causal = q * ctx.scale, k, v, causal
        ctx.out = np.empty((*q.shape[:-1], v.shape[-1]), np.float32)
        ctx.kept = attend(ctx.q, k, v, bias, causal, ctx.out, any(ctx.needs_input_grad))
        return ctx.out

    @staticmethod
    def backward(ctx: Context, g: np.ndarray) -> tuple:
        """See attention_gradients; the query was divided on the way in, so dq is too."""
        gradients = tuple(np.zeros(x.shape, np.float32) for x in (ctx.q, ctx.k, ctx.v))
        attend_backward(g, ctx.q, ctx.k, ctx.v, ctx.causal, ctx.out, ctx.kept, gradients)
        gradients[0][...] *= ctx.scale
        return *gradients, None, None


class PackedAttention(Function):
    """Self-attention of (B, T, 3C): queries, keys and values side by side, heads within each."""

    @staticmethod
    def forward(ctx: Context, packed: np.ndarray, num_heads: int, bias: np.ndarray | None,
                causal: bool) -> np.ndarray:
        B, T, C = *packed.shape[:2], packed.shape[2] // 3
        d = C // num_heads
        ctx.scale, ctx.causal = np.float32(1 / sqrt(d)), causal
        # One copy, in which each head lies in one piece: the products are faster by more than that
        ctx.qkv = packed.reshape(B, T, 3, num_heads, d).transpose(2, 0, 3, 1, 4).copy()
        ctx.qkv[0] *= ctx.scale
        out = np.empty((B, T, C), np.float32)
        ctx.out = out.reshape(B, T, num_heads, d).swapaxes(1, 2)  # (B, H, T, d), a view
        ctx.kept = attend(*ctx.qkv, bias, causal, ctx.out, ctx.needs_input_grad[0])
        return out

    @staticmethod
    def backward(ctx: Context, g: np.ndarray) -> tuple:
        """As Attention, with the heads of all three put side by side again."""
        B, H, T, d = ctx.out.shape
        g = g.reshape(B, T, H, d).swapaxes(1, 2)  # (B, H, T, d), a view
        gradients = np.zeros(ctx.qkv.shape, np.float32)  # (3, B, H, T, d)
        attend_backward(g, *ctx.qkv, ctx.causal, ctx.out, ctx.kept, gradients)
        gradients[0] *= ctx.scale
        return gradients.transpose(1, 3, 0, 2, 4).reshape(B, T, 3 * H * d), None, None, None

# %% [markdown]
r"""
The next folded cell is the door: it checks shapes and masks before anything is computed, and chooses the way. Whoever asks for the weights, for dropout, or for a mask that learns, gets the composed attention, because the fused one never has
the weights as such; all others get the fused one. PyTorch chooses in the same way.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "door", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def check_attention(name: str, query: Any, key: Any, value: Any) -> None:
    """Refuse queries, keys and values that do not belong together.

    Raises:
        TypeError: one is no Tensor.
        ShapeError: the message names the three shapes.
    """
    if not all(isinstance(x, Tensor) for x in (query, key, value)):
        kinds = ", ".join(type(x).__name__ for x in (query, key, value))
        raise TypeError(f"{name}: query, key and value are Tensors, not {kinds}.")
    shapes = f"query {query.shape}, key {key.shape}, value {value.shape}"
    if min(query.ndim, key.ndim, value.ndim) < 2:
        raise ShapeError(f"{name}: {shapes}: each needs at least the axes (T, d).")
    if not query.shape[:-2] == key.shape[:-2] == value.shape[:-2]:
        raise ShapeError(f"{name}: {shapes}: all axes but the last two must agree; expand() what "
                         "is shared.")
    if query.shape[-1] != key.shape[-1] or not query.shape[-1]:
        raise ShapeError(f"{name}: {shapes}: queries and keys need the same length, at least 1.")
    if key.shape[-2] != value.shape[-2]:
        raise ShapeError(f"{name}: {shapes}: each of the {key.shape[-2]} keys needs a value, and "
                         f"there are {value.shape[-2]}.")


def as_bias(name: str, mask: Any, shape: tuple[int, ...]) -> Any:
    """Check a mask, and return it as what is added to scores of `shape`: an array, or None.

    A Tensor that requires a gradient stays a Tensor.

    Raises:
        TypeError: neither booleans nor floats.
        ShapeError: a shape that does not stretch to that of the scores.
    """
    if mask is None:
        return None
    array = mask.detach().data if isinstance(mask, Tensor) else np.asarray(mask)
    if array.dtype.kind not in "bf":
        raise TypeError(f"{name}: a mask of {array.dtype} could mean two things: booleans say who "
                        "may look (mask == 1), floats are added to the scores.")
    sizes = zip(reversed(array.shape), reversed(shape), strict=False)
    if array.ndim > len(shape) or any(size not in (1, goal) for size, goal in sizes):
        raise ShapeError(f"{name}: a mask of shape {array.shape} does not stretch to the scores' "
                         f"shape {shape}: give an axis that is shared the size 1.")
    if array.dtype.kind == "b":
        return as_numbers(array)
    learned = isinstance(mask, Tensor) and mask.requires_grad
    return mask if learned else array.astype(np.float32, copy=False)


def needs_composed(bias: Any, dropout_p: float, need_weights: bool) -> bool:
    """Whether the fused operation cannot do what is asked."""
    return need_weights or dropout_p > 0 or isinstance(bias, Tensor)


def scaled_dot_product_attention(query: Tensor, key: Tensor, value: Tensor, attn_mask: Any = None,
                                 dropout_p: float = 0.0, is_causal: bool = False,
                                 need_weights: bool = False) -> Any:
    """Answer every query with a weighted mean of the values: see the formula of module 12.

    Args:
        query: shape (..., T, d).
        key: shape (..., S, d).
        value: shape (..., S, e).
        attn_mask: booleans, True where a query may look, or floats that are added to the scores;
            a shape that broadcasts to (..., T, S).
        dropout_p: share of the weights that is dropped, always: pass 0 outside training.
        is_causal: whether query t may look at keys 0 to t only; a mask counts besides.
        need_weights: whether to return the weights too.

    Returns:
        Tensor of shape (..., T, e); with need_weights also an array of shape (..., T, S), the
        weights before dropout. A query that may look nowhere gets zeros.

    Raises:
        ShapeError, TypeError, ValueError: shapes, mask or dropout_p do not fit.

    Source: Vaswani et al., Attention is all you need, 2017, section 3.2.1.

    Example:
        >>> x = Tensor([[1.0, 0.0], [0.0, 1.0]])
        >>> scaled_dot_product_attention(x, x, x, is_causal=True).data.round(2)
        array([[1.  , 0.  ],
               [0.33, 0.67]], dtype=float32)
    """
    name = "scaled_dot_product_attention"
    check_attention(name, query, key, value)
    check_probability(dropout_p)
    T, S = query.shape[-2], key.shape[-2]
    bias = as_bias(name, attn_mask, (*query.shape[:-1], S))
    if not needs_composed(bias, dropout_p, need_weights):
        return Attention.apply(query, key, value, bias, is_causal)
    if is_causal:
        past = as_numbers(causal_mask(T, S))
        bias = past if bias is None else bias + past
    out, weights = composed_attention(query, key, value, bias, dropout_p)
    return (out, weights.numpy()) if need_weights else out


# %%
def check_fused_gradients():
    """The fused operation has the measured slopes, in blocks too, and those of the composed one."""
    rng = np.random.default_rng(10)
    q, k, v = (rng.normal(size=s) for s in ((2, 3, 4), (2, 6, 4), (2, 6, 3)))
    allowed = rng.random((3, 6)) < 0.6
    gradient_check(scaled_dot_product_attention, q, k, v)
    for mask, causal in ((allowed, False), (None, True), (allowed * 1.5, True)):
        gradient_check(
            lambda *x, mask=mask, causal=causal: scaled_dot_product_attention(
                *x, attn_mask=mask, is_causal=causal
            ),
            q, k, v,
        )  # fmt: skip
    long = [Tensor(rng.normal(size=(2, 150, 8)), requires_grad=True) for _ in range(3)]
    gradients = []
    for need_weights in (False, True):
        out = scaled_dot_product_attention(*long, is_causal=True, need_weights=need_weights)
        (out[0] if need_weights else out).square().sum().backward()
        gradients.append([x.grad for x in long])
        for x in long:
            x.zero_grad()
    apart = max(float(abs(a - b).max()) for a, b in zip(*gradients, strict=True))
    print(f"fused and composed gradients differ by at most {apart:.0e}")


if __name__ == "__main__":
    check_fused_gradients()

# %% [markdown]
r"""
How much was it worth? A training step on 16 texts of 128 characters, four heads of 32, causal. Guess two ratios, composed to fused: of time, and of memory.
"""


# %%
def analyze_fused():
    """Forward and backward of the composed and the fused attention: time and memory."""
    keep_freed_memory()
    rng = np.random.default_rng(0)
    parts = [Tensor(rng.normal(size=(16, 4, 128, 32)), requires_grad=True) for _ in range(3)]
    past = as_numbers(causal_mask(128, 128))

    def step(way):
        way().sum().backward()
        for part in parts:
            part.zero_grad()

    ways = {
        "composed": lambda: step(lambda: composed_attention(*parts, past)[0]),
        "fused": lambda: step(lambda: scaled_dot_product_attention(*parts, is_causal=True)),
    }
    times = {way: timing.low_ms for way, timing in compare(ways, samples=7).items()}
    peaks = {way: peak_bytes(call) / 1e6 for way, call in ways.items()}
    for way in ways:
        print(f"{way:9} {times[way]:6.1f} ms {peaks[way]:6.1f} MB")
    slower, larger = (figure["composed"] / figure["fused"] for figure in (times, peaks))
    print(f"composed / fused: {slower:.2f} in time, {larger:.2f} in memory")


if __name__ == "__main__":
    analyze_fused()

# %% [markdown]
r"""
## The layer

`MultiHeadAttention` gives each position its query, key and value: three linear layers of $C \to C$, kept as one weight of shape (3C, C), because a text that asks itself (**self-attention**) then needs one product for all three. The
heads attend, are merged, and a last linear layer, `out_proj`, mixes what they found. When key and value come from another text, as in translation, it is **cross-attention**.

The folded cell holds the weights, named and filled as PyTorch's are, and the checks. Yours is what happens in between.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "attention-base", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class AttentionBase(Module):
    """The weights of multi-head attention, and the checks of what it is called with.

    in_proj_weight: shape (3C, C): that of the query on top, then key, then value.
    in_proj_bias:   shape (3C,), or None.
    out_proj:       Linear from C to C.
    """

    def __init__(self, embed_dim: int, num_heads: int, dropout: float = 0.0, bias: bool = True,
                 batch_first: bool = True) -> None:
        if not batch_first:
            raise ValueError("MultiHeadAttention is batch first, (B, T, C): leave batch_first out.")
        if embed_dim < 1 or num_heads < 1 or embed_dim % num_heads:
            raise ValueError(f"MultiHeadAttention({embed_dim}, {num_heads}): {num_heads} heads do "
                             f"not divide {embed_dim} channels into equal parts.")
        check_probability(dropout)
        self.embed_dim, self.num_heads, self.dropout = embed_dim, num_heads, dropout
        by_columns = np.zeros((embed_dim, 3 * embed_dim), np.float32).T
        self.in_proj_weight = xavier_uniform_(Parameter(by_columns))  # Glorot and Bengio, 2010
        self.in_proj_bias = Parameter(np.zeros(3 * embed_dim)) if bias else None
        self.out_proj = Linear(embed_dim, embed_dim, bias=bias)
        if bias:
            zeros_(self.out_proj.bias)

    def check(self, query: Tensor, key: Tensor, value: Tensor, attn_mask: Any) -> Any:
        """Refuse what does not fit; return the mask as as_bias does."""
        check_attention("MultiHeadAttention", query, key, value)
        for name, x in (("query", query), ("key", key), ("value", value)):
            if x.shape[-1] != self.embed_dim:
                raise ShapeError(f"MultiHeadAttention: the {name} of shape {x.shape} does not end "
                                 f"in embed_dim = {self.embed_dim}.")
        scores = (*query.shape[:-2], self.num_heads, query.shape[-2], key.shape[-2])
        return as_bias("MultiHeadAttention", attn_mask, scores)

    def pack(self, x: Tensor) -> Tensor:
        """Query, key and value of each position side by side: (..., T, C) -> (..., T, 3C)."""
        return linear(x, self.in_proj_weight, self.in_proj_bias)

    def project(self, query: Tensor, key: Tensor, value: Tensor) -> list[Tensor]:
        """Each through its own third of the weight: three Tensors of the shapes they had."""
        weight, bias, C = self.in_proj_weight, self.in_proj_bias, self.embed_dim
        thirds = [slice(C * i, C * (i + 1)) for i in range(3)]
        return [linear(x, weight[third], None if bias is None else bias[third])
                for x, third in zip((query, key, value), thirds, strict=True)]  # fmt: skip

    def extra_repr(self) -> str:
        return f"{self.embed_dim}, num_heads={self.num_heads}, dropout={self.dropout}"


# %% nbgrader={"grade": false, "grade_id": "multi-head", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class MultiHeadAttention(AttentionBase):
    """Attention in several heads, batch first.

    Args:
        embed_dim: channels C of each position.
        num_heads: H, a divisor of C.
        dropout: share of the weights that is dropped while training.
        bias: whether the linear layers have one.
        batch_first: PyTorch's word; there is no other order here.

    Raises:
        ValueError: H does not divide C, or dropout is no share.

    Source: Vaswani et al., Attention is all you need, 2017, section 3.2.2.
    """

    def forward(self, query: Tensor, key: Tensor | None = None, value: Tensor | None = None,
                attn_mask: Any = None, is_causal: bool = False, need_weights: bool = False) -> Any:
        """Let every position of `query` look at those of `key`, by default at its own text.

        Args:
            query: shape (B, T, C).
            key: shape (B, S, C), the query if None; value likewise, the key if None.
            attn_mask, is_causal, need_weights: as in scaled_dot_product_attention, where the
                scores have shape (B, H, T, S).

        Returns:
            Tensor of shape (B, T, C); with need_weights also the weights, (B, H, T, S).

        TODO: the general way; the fast one for self-attention stands above it already.
        APPROACH: 1. project  2. split all three into heads
            3. scaled_dot_product_attention, with need_weights=True, or without: an answer or a pair
            4. merge the heads, then out_proj
        EXAMPLE:
            >>> layer = MultiHeadAttention(8, num_heads=2)
            >>> text, other = Tensor(np.zeros((1, 3, 8))), Tensor(np.zeros((1, 5, 8)))
            >>> out, weights = layer(text, other, need_weights=True)
            >>> out.shape, weights.shape
            ((1, 3, 8), (1, 2, 3, 5))

        HINT: pass attn_mask=bias; need_weights decides what comes back, and what you return.
        """
        key = query if key is None else key
        value = key if value is None else value
        bias = self.check(query, key, value, attn_mask)
        share = self.dropout if self.training else 0.0
        itself = query is key is value and query.ndim == 3
        if itself and not needs_composed(bias, share, need_weights):
            packed = self.pack(query)  # (B, T, 3C), one product
            return self.out_proj(PackedAttention.apply(packed, self.num_heads, bias, is_causal))
        ### BEGIN SOLUTION
        parts = self.project(query, key, value)  # (B, T, C), (B, S, C), (B, S, C)
        heads = [split_heads(part, self.num_heads) for part in parts]  # (B, H, T or S, d)
        how = {"attn_mask": bias, "dropout_p": share, "is_causal": is_causal}
        if not need_weights:
            return self.out_proj(merge_heads(scaled_dot_product_attention(*heads, **how)))
        out, weights = scaled_dot_product_attention(*heads, **how, need_weights=True)
        return self.out_proj(merge_heads(out)), weights  # (B, T, C), (B, H, T, S)
        ### END SOLUTION


# %% nbgrader={"grade": false, "grade_id": "attention-alias", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
MultiheadAttention = MultiHeadAttention  # PyTorch's spelling


# %% nbgrader={"grade": true, "grade_id": "test-multi-head", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_multi_head():
    """The fast way and the general one agree; cross-attention, weights, and dropout's mode."""
    manual_seed(0)
    layer, rng = MultiHeadAttention(8, num_heads=2), np.random.default_rng(11)
    text, other = (Tensor(rng.normal(size=(2, n, 8))) for n in (3, 6))
    same = Tensor(text.data)
    fast = layer(text, is_causal=True).data
    check_close(lambda: layer(text, same, same, is_causal=True).data, fast)
    check_close(lambda: layer(text, need_weights=True, is_causal=True)[0].data, fast)
    check_close(lambda: layer(text, other, need_weights=True)[1].sum(axis=-1), np.ones((2, 2, 3)))
    check_close(lambda: layer(text, other).data, layer(text, other, need_weights=True)[0].data)
    check_close(lambda: MultiHeadAttention(8, 2, dropout=1.0)(text).data, np.zeros((2, 3, 8)))
    ### BEGIN HIDDEN TESTS
    third = Tensor(rng.normal(size=(2, 6, 8)))
    top, middle, low = np.split(layer.in_proj_weight.data, 3)
    stacks = [x.data @ w.T for x, w in ((text, top), (other, middle), (third, low))]
    q, k, v = (np.stack([stack[..., :4], stack[..., 4:]], axis=1) for stack in stacks)
    seen = np.arange(6) < 4
    w = np.exp(q @ k.swapaxes(-1, -2) / 2) * seen
    w /= w.sum(axis=-1, keepdims=True)
    wanted = np.concatenate(list((w @ v).swapaxes(0, 1)), axis=-1) @ layer.out_proj.weight.data.T
    check_close(lambda: layer(text, other, third, attn_mask=seen).data, wanted)
    check_close(lambda: layer(text, other, third, attn_mask=seen, need_weights=True)[1], w)
    gaps = MultiHeadAttention(8, 2, dropout=1.0)
    gaps.load_state_dict(layer.state_dict())
    gaps.eval()
    check_close(lambda: gaps(text, other).data, layer(text, other).data)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_multi_head()

# %% [markdown]
r"""
## Linear memory

Training keeps $e$, and so memory grows with $T^2$. Must it? All of $e$ is needed only because a softmax divides by the sum over *all* keys. But suppose you have seen the first hundred keys and kept three things for each query: the sum
of $e^{z - m}$ times value, the sum of $e^{z - m}$, and the largest score $m$ so far. Then the next hundred arrive, with three of their own. If $m$ had to grow, what you have is too large by a factor that
you know: $e^{m_\text{old} - m_\text{new}}$.

```
keys 0-99      sums  a, n   with top 2  ──┐
                                          ├── top 5:   a e^(2-5) + a',   n e^(2-5) + n'
keys 100-199   sums  a', n' with top 5  ──┘
```

This *online softmax* (Milakov and Gimelshein, 2018) makes one pass over the keys in pieces, whatever their number (Rabe and Staats, *Self-attention does not need O(n²) memory*, 2021), and it is
what FlashAttention does in the caches of a graphics card (Dao et al., 2022). Your `weigh` returns the three already.
"""

# %% nbgrader={"grade": false, "grade_id": "chunk-scores", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
Sums = tuple[np.ndarray, np.ndarray, np.ndarray]  # what weigh returns


def chunk_scores(q: np.ndarray, k: np.ndarray, keys: slice, causal: bool) -> np.ndarray:
    """Scores of all queries for the keys in a slice, shape (..., T, chunk)."""
    scores = q @ k[..., keys, :].swapaxes(-1, -2)
    if causal:
        past = np.arange(q.shape[-2])[:, None] >= np.arange(k.shape[-2])[keys]  # (T, chunk)
        scores += as_numbers(past)
    return scores

# %% nbgrader={"grade": false, "grade_id": "online", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def merge_sums(one: Sums, other: Sums) -> Sums:
    """Join what two sets of keys gave the same queries, as weigh over both together would.

    Args:
        one, other: (sums of exponential times value, sums of exponentials, top), as from weigh.
    """
    ### BEGIN SOLUTION
    top = np.maximum(one[2], other[2])
    shrink = [np.exp(part[2] - top) for part in (one, other)]  # (..., T, 1), one of them is 1
    answers, total = (one[i] * shrink[0] + other[i] * shrink[1] for i in (0, 1))
    return answers, total, top
    ### END SOLUTION


def weigh_in_chunks(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, causal: bool = False, chunk: int = 256
) -> Sums:
    """Return what weigh gives for the scores of q and all keys, from `chunk` keys at a time.

    Args:
        q: queries, divided by the root of d already, shape (..., T, d).
        k, v: shapes (..., S, d) and (..., S, e).
        causal: whether query t sees the keys 0 to t only.
        chunk: how many keys at a time.

    TODO: merge_sums above, and the loop.
    APPROACH: 1. there: the new top, what each side shrinks by, the two sums
        2. here: for each chunk of keys: chunk_scores, then weigh  3. merge with what there is
    EXAMPLE:
        >>> q, k, v = np.zeros((1, 1)), np.zeros((3, 1)), np.float32([[1], [2], [6]])
        >>> [part.tolist() for part in weigh_in_chunks(q, k, v, chunk=2)]
        [[[9.0]], [[3.0]], [[0.0]]]

    HINT: slice(start, start + chunk) may reach over the end; chunk_scores stands above.
    """
    ### BEGIN SOLUTION
    sums = None
    for start in range(0, max(k.shape[-2], 1), chunk):
        keys = slice(start, start + chunk)
        new = weigh(chunk_scores(q, k, keys, causal), v[..., keys, :])
        sums = new if sums is None else merge_sums(sums, new)
    return sums
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-online", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_online():
    """The drawing, and chunks of two against everything at once."""
    one, other = ([np.float32([[x]]) for x in sums] for sums in ((8, 2, 2), (3, 1, 5)))
    check_close(lambda: merge_sums(one, other)[2], [[5]])
    check_close(lambda: merge_sums(one, other)[0], [[8 * np.exp(-3) + 3]])
    check_close(lambda: merge_sums(other, one)[1], [[2 * np.exp(-3) + 1]])
    rng = np.random.default_rng(12)
    q, k, v = (rng.normal(size=s).astype(np.float32) for s in ((4, 3), (5, 3), (5, 2)))
    whole = weigh(q @ k.T, v)
    check_close(lambda: weigh_in_chunks(q, k, v, chunk=2)[0], whole[0])
    check_close(lambda: weigh_in_chunks(q, k, v, chunk=2)[1], whole[1])
    ### BEGIN HIDDEN TESTS
    q, k, v = (30 * rng.normal(size=(2, 3, n, 4)).astype(np.float32) for n in (7, 9, 9))
    whole = weigh(chunk_scores(q, k, slice(0, 9), True), v)
    for chunk in (1, 4, 9, 20):
        got = weigh_in_chunks(q, k, v, True, chunk)
        check_close(lambda got=got: got[0] / got[1], whole[0] / whole[1], atol=1e-3)
        check_close(lambda got=got: got[2], whole[2])
    none = weigh_in_chunks(q, k[:, :, :0], v[:, :, :0])
    check_close(lambda: none[1], np.zeros((2, 3, 7, 1)))
    nothing = [np.float32([[x]]) for x in (0, 0, LOWEST)]
    far = [np.float32([[x]]) for x in (6, 2, -500)]
    check_close(lambda: merge_sums(nothing, far)[0], [[6]])
    check_close(lambda: merge_sums(nothing, nothing)[1], [[0]])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_online()

# %% [markdown]
r"""
And the way back? It needs $e$ again, a chunk at a time, and can make it again: from $q$, $k$ and the *top* that was kept, $T$ numbers instead of $T^2$. Your `attention_gradients` does the rest, chunk by chunk.
"""

# %% nbgrader={"grade": false, "grade_id": "chunked", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class ChunkedAttention(Function):
    """Attention that never holds more than one chunk of the exponentials, in either direction."""

    @staticmethod
    def forward(ctx: Context, q: np.ndarray, k: np.ndarray, v: np.ndarray, causal: bool,
                chunk: int) -> np.ndarray:
        ctx.scale = np.float32(1 / sqrt(q.shape[-1]))
        ctx.q, ctx.k, ctx.v, ctx.causal, ctx.chunk = q * ctx.scale, k, v, causal, chunk
        answers, ctx.total, ctx.top = weigh_in_chunks(ctx.q, k, v, causal, chunk)
        ctx.total[ctx.total == 0] = 1
        ctx.out = answers / ctx.total
        return ctx.out

    @staticmethod
    def backward(ctx: Context, g: np.ndarray) -> tuple:
        """Each chunk's exponentials are made again, then attention_gradients; dq adds up."""
        dq, dk, dv = (np.zeros(x.shape, np.float32) for x in (ctx.q, ctx.k, ctx.v))
        for start in range(0, ctx.k.shape[-2], ctx.chunk):
            keys = slice(start, start + ctx.chunk)
            e = chunk_scores(ctx.q, ctx.k, keys, ctx.causal)
            e -= ctx.top
            np.exp(e, out=e)
            part = (g, ctx.q, ctx.k[..., keys, :], ctx.v[..., keys, :], e, ctx.total, ctx.out)
            more, dk[..., keys, :], dv[..., keys, :] = attention_gradients(*part)
            dq += more
        dq *= ctx.scale
        return dq, dk, dv, None, None


def chunked_attention(query: Tensor, key: Tensor, value: Tensor, is_causal: bool = False,
                      chunk: int = 256) -> Tensor:
    """The same as scaled_dot_product_attention, slower, in memory that is linear in T and S.

    Args:
        query, key, value, is_causal: as there.
        chunk: how many keys at a time; their scores are all that is ever held.

    Raises:
        ShapeError, ValueError: shapes do not fit, or a chunk below 1.

    Source: Rabe and Staats, Self-attention does not need O(n^2) memory, 2021.

    Example:
        >>> x = Tensor(np.eye(4))
        >>> bool(abs(chunked_attention(x, x, x, chunk=2)
        ...          - scaled_dot_product_attention(x, x, x)).max().item() < 1e-5)
        True
    """
    check_attention("chunked_attention", query, key, value)
    if chunk < 1:
        raise ValueError(f"chunked_attention: chunk is a number of keys, at least 1, not {chunk}.")
    return ChunkedAttention.apply(query, key, value, is_causal, chunk)


# %% [markdown]
r"""
You guessed how memory grows with the length. Guess again for three curves: the composed attention, the fused one, the one in chunks. And what does the third pay in time?
"""


# %%
def analyze_memory():
    """Peak memory and time of a training step of the three attentions, by length."""
    keep_freed_memory()
    rng = np.random.default_rng(0)
    lengths = [256, 512, 1024, 2048]
    ways = {
        "composed": lambda *x: composed_attention(*x)[0],
        "fused": scaled_dot_product_attention,
        "chunks of 256": chunked_attention,
    }
    peaks, last = {way: [] for way in ways}, {}
    for T in lengths:
        parts = [Tensor(rng.normal(size=(1, 2, T, 32)), requires_grad=True) for _ in range(3)]
        for way, function in ways.items():

            def step(function=function, parts=parts):
                function(*parts).sum().backward()

            peaks[way].append(peak_bytes(step) / 1e6)
            last[way] = bench(step, samples=2).low_ms if T == 1024 else last.get(way)
    fig, ax = plt.subplots(figsize=(5, 3))
    for (way, values), mark in zip(peaks.items(), "osD", strict=True):
        ax.loglog(lengths, values, f"{mark}-", base=2, label=way)
        factor = values[-1] / values[-2]
        print(f"{way:14}{values[-1]:6.1f} MB at T = 2048, {factor:.1f} times that of 1024,", end="")
        print(f"{last[way]:5.0f} ms at 1024")
    ax.set(xlabel="T", ylabel="MB at the peak")
    ax.set_xticks(lengths, lengths)
    ax.legend()
    show(fig, alt="Peak memory by length: composed and fused quadruple per doubling, chunks double")


if __name__ == "__main__":
    analyze_memory()

# %% [markdown]
r"""
Near 4 for each doubling where $e$ is kept, near 2 where it is made again. The time stays quadratic in all three: every query still meets every key. Making $e$ twice costs a product and an exponential more; on a graphics card, whose memory
is slow beside its arithmetic, it is even the faster way (Dao et al., 2022).

## The whole module

Eight guests stand in a room. Each wears a name and a number, and each wants the number of one guest, whose name it knows. No convolution helps, since the guest may stand anywhere; no
linear layer either, since it sees one position at a time. One head of attention should do. What will its $8 \times 8$ map look like, for one room?
"""

# %% nbgrader={"grade": false, "grade_id": "guests", "locked": true, "schema_version": 3, "solution": false, "task": false}
class Guests(Module):
    """Guests with a name, a number and a question, 8 of each; one head; 8 numbers to choose."""

    def __init__(self):
        self.read = Linear(24, 32)
        self.attention = MultiHeadAttention(32, num_heads=1)
        self.answer = Linear(32, 8)

    def forward(self, rooms, attn_mask=None):
        h = self.read(rooms)  # (B, 8, 24) -> (B, 8, 32)
        return self.answer(self.attention(h, attn_mask=attn_mask))  # (B, 8, 8)

    def look(self, rooms):
        with no_grad():
            return self.attention(self.read(rooms), need_weights=True)[1]  # (B, 1, 8, 8)


def make_rooms(count, rng):
    """Rooms of guests (count, 8, 24), the numbers that they want, and where those stand."""
    names, wanted = (rng.permuted(np.tile(np.arange(8), (count, 1)), axis=1) for _ in range(2))
    numbers, one_hot = rng.integers(0, 8, size=(count, 8)), np.eye(8, dtype=np.float32)
    place = np.argsort(names, axis=1)[np.arange(count)[:, None], wanted]  # who wears the name
    right = numbers[np.arange(count)[:, None], place]
    parts = [one_hot[part] for part in (names, numbers, wanted)]
    return Tensor(np.concatenate(parts, axis=-1)), right, place


def train_guests(steps, attn_mask=None, seed=0):
    """Train on new rooms at each step; return the model and the losses."""
    manual_seed(seed)
    rng, model, losses = np.random.default_rng(seed), Guests(), []
    optimizer = AdamW(model.parameters(), lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        rooms, right, _ = make_rooms(32, rng)
        loss = cross_entropy(model(rooms, attn_mask), right)
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
    return model, losses


# %% nbgrader={"grade": true, "grade_id": "test-module-attention", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_module():
    """The ways agree; one head finds the guest; one that may look only at itself does not."""
    rng = np.random.default_rng(13)
    q, k, v = (Tensor(rng.normal(size=(2, 70, 4))) for _ in range(3))
    fused = scaled_dot_product_attention(q, k, v, is_causal=True).data
    check_close(lambda: chunked_attention(q, k, v, is_causal=True, chunk=16).data, fused)
    check_close(lambda: fused[1, 69:], attention_loops(q.data[1, 69:], k.data[1], v.data[1])[0])
    rooms, right, place = make_rooms(200, rng)
    model, _ = train_guests(120)
    found = (model(rooms).data.argmax(axis=-1) == right).mean()
    seen = (model.look(rooms)[:, 0].argmax(axis=-1) == place).mean()
    alone, _ = train_guests(20, np.eye(8, dtype=bool))
    by_itself = (alone(rooms).data.argmax(axis=-1) == right).mean()
    check_equal(lambda: float(min(found, seen)) > 0.95, True)
    print(f"looking around {found:.0%} right, looking only at oneself {by_itself:.0%}")
    ### BEGIN HIDDEN TESTS
    x, y = (Tensor(rng.normal(size=(2, 4, 6)), requires_grad=True) for _ in range(2))
    mask = np.arange(4)[:, None] != np.full(4, 3)  # the last may look nowhere
    out, weights = scaled_dot_product_attention(x, y, y, attn_mask=mask, need_weights=True)
    check_close(lambda: weights[:, 3], np.zeros((2, 4)))
    check_close(lambda: scaled_dot_product_attention(x, y, y, attn_mask=mask).data, out.data)
    scaled_dot_product_attention(x, y, y, attn_mask=mask).sum().backward()
    check_close(lambda: x.grad[:, 3], np.zeros((2, 6)))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_module()


# %%
def analyze_map():
    """Where the trained head looks, for one new room, before and after training."""
    rooms, _, place = make_rooms(1, np.random.default_rng(99))
    fig, axes = plt.subplots(1, 2, figsize=(7, 3.4))
    for ax, steps in zip(axes, (0, 150), strict=True):
        weights = train_guests(steps)[0].look(rooms)[0, 0]  # (8, 8)
        ax.imshow(weights, cmap="Blues", vmin=0, vmax=1)
        ax.plot(place[0], np.arange(8), "x", color="darkorange", label="wears the name")
        ax.set(title=f"after {steps} steps", xlabel="guest looked at", ylabel="guest who asks")
        asked = weights[np.arange(8), place[0]].mean()
        print(f"after {steps:3} steps: weight on the guest that was asked for, {asked:.2f}")
    axes[0].legend(fontsize=7)
    show(fig, alt="Attention maps: pale before training, then one dark square per row, on the x")


if __name__ == "__main__":
    analyze_map()

# %% [markdown]
r"""
Nobody told the head what a name is. It found two products of weights, for queries and for keys, whose scores are high where a question meets its name, and the map shows it: read a row to see whom a guest looks at.

**Question.** Training with `chunked_attention` computes every exponential twice, and yet FlashAttention trains large language models in just this way. What is not stored, what is stored instead, and when is computing twice the cheaper choice?
"""

# %% [markdown] nbgrader={"grade": true, "grade_id": "q-recompute", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
r"""
The T x S exponentials are not stored, only each query's top and sum: 2 T numbers instead of T S, from which any chunk of exponentials can be made again out of q and k, which are kept anyway. The second time costs one product and one exponential per
score. It is cheaper when storing is the bottleneck: when T S numbers per head and layer do not fit into memory at all, or when writing and reading them takes longer than computing them again, as on a graphics card,
where arithmetic is fast and memory slow. For short texts that fit into the cache, keeping them wins.
"""

# %% [markdown]
r"""
**To think about.** Guests may share a number. If all eight numbers were different in every room, some networks would learn to look at everybody *except* the guest asked for, and be right (try it: `rng.permuted` in `make_rooms`, several
seeds). How can that work? And shuffle the guests: the answers are only shuffled too. Where would the order of words have to come in?

Attention moves information between positions; it computes nothing at any of them. **Module 13** puts a small network after it, stacks the pair, and the result is a GPT.
"""
