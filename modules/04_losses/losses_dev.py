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
# Module 04: Losses

A network cannot improve until somebody tells it how wrong it is, in one number. Today you write that number for quantities,
for classes and for yes or no, and find out why the obvious formulas fail in the cases that matter most.

**Needs** `Tensor` (01), `sigmoid` (02), `Module` (03) | **Exports** `tinytorch.core.losses` | **About** 2 hours | **Points** 45
"""

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| default_exp core.losses
#| export
from collections.abc import Callable
from typing import Any

import numpy as np

from tinytorch.core.layers import Module
from tinytorch.core.tensor import ShapeError, Tensor, op, raw, stack

# %% nbgrader={"grade": false, "grade_id": "page-imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
import matplotlib.pyplot as plt  # this page only: plots and measurements are not exported

from tinytorch.core.activations import sigmoid
from tito.lab import check_close, check_equal, check_raises, compare, load_digits, peak_bytes, show

# %% [markdown]
r"""
## How wrong? Squared error

What must a measure of wrongness do? Be smallest when everything is right, grow as things get worse, and be **one number**, so
that two models can be compared. And one thing more, which decides today's page: it must *slope*. Training will walk downhill on
it, and where the ground is flat there is no downhill.

For quantities (a price, a temperature) the classic is the mean squared error, over all $N$ elements:

$$\mathrm{MSE} = \frac1N \sum_i (p_i - t_i)^2$$

Being off by 10 costs a hundred times as much as being off by 1. It is three lines of code and has the most expensive bug
in the trade. A network returns a column, the targets came from a file as a row, and NumPy is polite enough to broadcast:

```
prediction (3, 1)     target (3,)       prediction - target (3, 3)
        1               1  2  3               0 -1 -2
        2                                     1  0 -1
        3                                     2  1  0
```

Every prediction is right, and the mean of squares is 12/9. Worse: which column makes it smallest? The one that says 2, 2, 2.
A model trained on this learns to answer the average to every question, and nothing ever complains. So we do.
"""

# %% nbgrader={"grade": false, "grade_id": "check-target", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def check_target(target: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return `target` as a float32 array, once it is clear that its shape is the prediction's.

    Args:
        target: the right values: an array, a list or a number.
        shape: the shape of the prediction.

    Raises:
        ShapeError: the shapes differ, or there is nothing to take a mean of.

    Example:
        >>> check_target([1, 0], (2,))
        array([1., 0.], dtype=float32)
    """
    target = np.asarray(target, dtype=np.float32)
    if target.shape != shape:
        raise ShapeError(
            f"prediction of shape {shape}, target of shape {target.shape}: they must be equal, or "
            f"broadcasting would compare every prediction with every target; reshape one of them."
        )
    if not target.size:
        raise ShapeError(
            f"shape {shape} holds no element, so there is no mean loss: the batch is empty."
        )
    return target


# %% nbgrader={"grade": false, "grade_id": "mse-loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@op
def mse_loss(prediction, target):
    """Mean squared difference between prediction and target.

    Args:
        prediction: array of any shape.
        target: array of the same shape.

    Returns:
        The mean over all elements, one number.

    Raises:
        ShapeError: the shapes differ, or are empty; the message names both.

    TODO: the formula, guarded against broadcasting.
    APPROACH: 1. check_target  2. the gap  3. the sum of its squares, over the number of elements
    EXAMPLE:
        >>> mse_loss(Tensor([1, 2]), Tensor([1, 5])).item()
        4.5

    HINT: `target = check_target(target, prediction.shape)` does the refusing.
    """
    ### BEGIN SOLUTION
    target = check_target(target, prediction.shape)
    gap = prediction - target
    return (gap * gap).sum() / gap.size
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-mse-loss", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_mse_loss():
    """The mean over all elements, and no silent broadcasting."""
    check_close(lambda: mse_loss(Tensor([1, 2]), Tensor([1, 5])).data, 4.5)
    column, row = Tensor([[1], [2], [3]]), Tensor([1, 2, 3])
    check_raises(ShapeError, lambda: mse_loss(column, row), mentions=["(3, 1)", "(3,)"])
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(0)
    p, t = rng.normal(size=(2, 4, 3, 5))
    check_close(lambda: mse_loss(Tensor(p), Tensor(t)).data, ((p - t) ** 2).mean())
    check_close(lambda: mse_loss(Tensor(-2.0), Tensor(1.0)).data, 9.0)
    check_raises(
        ShapeError, lambda: mse_loss(Tensor(p[0]), Tensor(p[0, 0])), mentions=["(3, 5)", "(5,)"]
    )
    check_raises(ShapeError, lambda: mse_loss(Tensor([]), Tensor([])))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_mse_loss()

# %% [markdown]
r"""
## Surprise

Now the target is one of $C$ classes, and the model gives each a probability. It said "rain: 0.9". How wrong was it, if it rained?
And if it did not? Measure its **surprise** at what really happened (Shannon, 1948):

$$\text{surprise} = -\ln p(\text{what happened})$$

```
probability given to what happened     1      1/2     1/10    1/1000     0
surprise                               0     0.69     2.30      6.91    infinite
```

Why a logarithm? The probability of two independent events is a product, and two surprises should *add*. And it tells
what no percentage tells: the cost of having been sure. With the natural logarithm the unit is the *nat*; $\log_2$ would give bits.

Probabilities come from scores (**logits**) $x$ by softmax, so we need its logarithm. Before you chain `log` and `softmax`, take $x = (0, -200)$: the
second probability is $e^{-200}$, which float32 rounds to 0, and $\ln 0$ is $-\infty$. The truth is simply $-200$. Never leave log space:

$$\ln \mathrm{softmax}(x)_i = \ln\frac{e^{x_i}}{\sum_j e^{x_j}} = x_i - \ln\sum_j e^{x_j} = (x_i - m) - \ln \sum_j e^{x_j - m}, \qquad m = \max_j x_j$$

The last sum has one term equal to 1 and none above it: it cannot overflow, and its logarithm cannot be $-\infty$.
"""

# %% nbgrader={"grade": false, "grade_id": "log-softmax", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@op
def log_softmax(x, axis=-1):
    """Logarithm of the softmax along `axis`, right where the softmax itself rounds to 0.

    Args:
        x: scores, any shape (..., C, ...).
        axis: the axis of the C classes.

    Returns:
        Array of the same shape, every entry <= 0.

    TODO: the right-hand form of the equation.
    APPROACH: 1. subtract the maximum along `axis`  2. sum the exponentials along `axis`
    3. subtract the logarithm of that sum
    EXAMPLE:
        >>> log_softmax(Tensor([0, -200])).data
        array([   0., -200.], dtype=float32)

    HINT: `np.maximum.reduce(x, axis=axis, keepdims=True)` and `np.add.reduce` are the max and
    the sum without their wrappers.
    """
    ### BEGIN SOLUTION
    largest = np.maximum.reduce(x, axis=axis, keepdims=True, initial=-np.inf)  # (..., 1, ...)
    shifted = x - largest  # (..., C, ...), the largest entry is 0
    total = np.add.reduce(np.exp(shifted), axis=axis, keepdims=True)  # (..., 1, ...), 1 to C
    return shifted - np.log(np.maximum(total, 1))  # below 1 only where nothing was added up
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-log-softmax", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_log_softmax():
    """Known values, and scores that are far apart or far from zero."""
    check_close(lambda: log_softmax(Tensor([0, 0, 0, 0])).data, [-1.386294] * 4)
    check_close(lambda: log_softmax(Tensor([0, -200])).data, [0, -200])
    check_close(lambda: log_softmax(Tensor([1000, 1001])).data, [-1.313262, -0.313262])
    ### BEGIN HIDDEN TESTS
    x = np.random.default_rng(1).normal(size=(2, 5, 3)) * 4
    for axis in (0, 1, -1):
        expected = x - np.log(np.exp(x).sum(axis=axis, keepdims=True))
        check_close(lambda: log_softmax(Tensor(x), axis=axis).data, expected)
    rows = np.array([[1.0, 2.0], [-298.0, -297.0]])
    check_close(lambda: log_softmax(Tensor(rows)).data, [[-1.313262, -0.313262]] * 2)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_log_softmax()

# %% [markdown]
r"""
## Cross-entropy: mean surprise, in one pass

The **cross-entropy** of a batch is the mean surprise at the true classes, $\;-\frac1N\sum_n \ln \mathrm{softmax}(x_n)_{y_n}$. It picks one entry in each row:

```
shifted scores (N, C)                 labels (N,)     picked (N,)
[ 0.0  -1.2  -3.0 ]                       2             -3.0
[-0.5   0.0  -2.0 ]                       1              0.0        shifted[[0, 1], [2, 1]]
```

Watch the brackets: `shifted[:, labels]` is something else. It takes *both* columns from *every* row, and its mean is a plausible number.

A label is a class number, not a one-hot row: 8 bytes instead of $4C$. NumPy would let a label of -1 pass as "the last class", so the given
`check_labels` looks before you do. The `@op` around your function hands it flat arrays, and keeps the second value that you return, the
probabilities, because module 05 will need exactly those.
"""

# %% nbgrader={"grade": false, "grade_id": "check-labels", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def check_labels(target: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return class labels as a flat array of integers that fit logits of `shape`.

    Args:
        target: class numbers, shape (...): an integer array, a list, or the array of a Tensor.
        shape: the shape (..., C) of the logits.

    Raises:
        ShapeError: the shapes do not fit, or the batch is empty.
        IndexError: a label outside 0 to C - 1; the message names it and C.
        TypeError: labels that are not whole numbers.

    Example:
        >>> check_labels([[2], [0]], (2, 1, 3))
        array([2, 0])
    """
    target = np.asarray(target)
    if target.shape != shape[:-1]:
        cure = " Are they one-hot? Use argmax(axis=-1)." if target.shape == shape else ""
        raise ShapeError(
            f"logits {shape} need labels of shape {shape[:-1]}, one class number each, "
            f"not {target.shape}.{cure}"
        )
    if not target.size:
        raise ShapeError(
            f"logits of shape {shape} hold no example, so there is no mean loss: "
            f"the batch is empty."
        )
    if target.dtype.kind not in "biuf":
        raise TypeError(f"labels must be whole numbers, not {target.dtype}.")
    low, high = np.minimum.reduce(target, axis=None), np.maximum.reduce(target, axis=None)
    classes = shape[-1]
    if not (low >= 0 and high < classes):
        bad = high if low >= 0 else low
        raise IndexError(
            f"label {bad} is out of range: there are {classes} classes, "
            f"so labels go from 0 to {classes - 1}."
        )
    labels = target.astype(np.intp, copy=False)
    if target.dtype.kind == "f" and (labels != target).any():
        raise TypeError(
            f"labels must be whole numbers, and {target[labels != target][0]} is not: "
            f"pass class numbers."
        )
    return labels.reshape(-1)


# %% nbgrader={"grade": false, "grade_id": "cross-entropy", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def cross_entropy_arrays(scores: np.ndarray, labels: np.ndarray) -> tuple[np.float32, np.ndarray]:
    """Return the mean surprise at the true classes, and the softmax that it came from.

    Args:
        scores: float32 array of shape (N, C); it is not changed.
        labels: integer array of shape (N,), each in 0 .. C-1.

    Returns:
        The mean over N of -ln softmax(scores)[label], and the softmax, float32, shape (N, C).

    TODO: both results from one exponential.
    APPROACH: 1. subtract each row's maximum  2. pick each row's true score  3. exponentiate
        4. each row's total  5. the mean of ln(total) - picked, and exponentials over totals
    EXAMPLE:
        >>> loss, probabilities = cross_entropy_arrays(np.zeros((1, 2), np.float32), np.array([1]))
        >>> round(float(loss), 4), probabilities
        (0.6931, array([[0.5, 0.5]], dtype=float32))

    HINT: `np.exp(e, out=e)` and `e /= total` work inside an array that you own, without new memory.
    """
    ### BEGIN SOLUTION
    N = len(labels)
    e = scores - np.maximum.reduce(scores, axis=1, keepdims=True)  # (N, C), largest entry 0
    picked = e[np.arange(N), labels]  # (N,)
    np.exp(e, out=e)
    total = np.add.reduce(e, axis=1, keepdims=True)  # (N, 1)
    e /= total  # now the softmax
    return np.add.reduce(np.log(total[:, 0]) - picked) / N, e
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-cross-entropy", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_cross_entropy():
    """Mean surprise and softmax of small and of huge scores."""
    knows_nothing = np.zeros((4, 10), np.float32)
    classes = np.array([3, 1, 4, 1])
    check_close(lambda: cross_entropy_arrays(knows_nothing, classes)[0], 2.302585)
    check_close(lambda: cross_entropy_arrays(knows_nothing, classes)[1], np.full((4, 10), 0.1))
    scores = np.array([[5, 0, 0], [0, 2, 0]], np.float32)
    check_close(lambda: cross_entropy_arrays(scores, np.array([0, 2]))[0], 1.126441)
    ### BEGIN HIDDEN TESTS
    x = np.random.default_rng(2).normal(size=(7, 5)).astype(np.float32) * 3
    y = np.array([0, 4, 2, 2, 1, 3, 0])
    softmax = np.exp(x.astype(np.float64))
    softmax /= softmax.sum(axis=1, keepdims=True)
    surprise = -np.log(softmax[np.arange(7), y]).mean()
    check_close(lambda: cross_entropy_arrays(x.copy(), y)[0], surprise)
    check_close(lambda: cross_entropy_arrays(x.copy(), y)[1], softmax)
    check_equal(lambda: cross_entropy_arrays(x.copy(), y)[1].dtype.name, "float32")
    far, second = np.array([[500, 0], [-900, -400]], np.float32), np.array([1, 1])
    check_close(lambda: cross_entropy_arrays(far, second)[0], 250.0)
    check_close(lambda: cross_entropy_arrays(far, second)[1], [[1, 0], [0, 1]])
    logits = Tensor(x)
    cross_entropy_arrays(logits.data, y)
    check_close(lambda: logits.data, x)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_cross_entropy()

# %% nbgrader={"grade": false, "grade_id": "cross-entropy-op", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@op
def cross_entropy(logits, target):
    """Mean surprise, in nats, of softmax(logits) at the target classes; the softmax is kept.

    Args:
        logits: scores of shape (..., C); the classes are the last axis (PyTorch's images: axis 1).
        target: class numbers of shape (...).

    Returns:
        One number, and what is kept: the softmax, float32, shape (N, C), N the number of labels.

    Raises:
        ShapeError, IndexError, TypeError: see check_labels.

    Example:
        >>> round(cross_entropy(Tensor([[0, 0], [9, 0]]), [1, 0]).item(), 4)
        0.3466
    """
    labels = check_labels(target, logits.shape)  # (N,)
    return cross_entropy_arrays(logits.reshape(-1, logits.shape[-1]), labels)


# %% [markdown]
r"""
### Where does the composed version break?

Here is cross-entropy as everybody writes it first: softmax, logarithm, pick, mean, each a Tensor operation. Two classes, the wrong one ahead by a growing
gap. At which gap will the composed version first answer `inf`? (The smallest float32 above zero is $1.4 \cdot 10^{-45}$.) Will it
go wrong *before* that?
"""


# %% nbgrader={"grade": false, "grade_id": "cross-entropy-composed", "locked": true, "schema_version": 3, "solution": false, "task": false}
def cross_entropy_composed(logits, target):
    """The same loss from six Tensor operations; stable in its exponential, not in its logarithm."""
    e = (logits - logits.max(axis=-1, keepdims=True)).exp()
    p = e / e.sum(axis=-1, keepdims=True)
    return -p.log()[np.arange(len(p)), target].mean()


def analyze_gap():
    """The first whole gaps between two logits at which log(softmax) is off, and infinite."""
    gaps = np.arange(1, 121)
    composed, fused = np.empty((2, len(gaps)))
    with np.errstate(divide="ignore"):
        for i, gap in enumerate(gaps):
            logits = Tensor([[gap, 0]])
            composed[i], fused[i] = (
                cross_entropy_composed(logits, [1]).item(),
                cross_entropy(logits, [1]).item(),
            )
    truth = gaps + np.log1p(np.exp(-gaps.astype(np.float64)))
    off = gaps[np.abs(composed / truth - 1) > 1e-3][0]
    print(
        f"composed: off by more than 0.1 % from gap {off}, "
        f"infinite from gap {gaps[np.isinf(composed)][0]}"
    )
    print(f"fused: largest relative error over all gaps {np.abs(fused / truth - 1).max():.0e}")


if __name__ == "__main__":
    analyze_gap()

# %% [markdown]
r"""
From $e^{-87.3}$ down float32 has no full numbers left, only *subnormal* ones with fewer and fewer digits, and $e^{-104}$ is less than half of the last of
them. The logarithm forgives lost digits until hardly any is left. A gap of 104 sounds absurd until one wrong learning rate makes it, and one infinite loss turns every weight of a
network into `nan`. The fused form does not meet the problem: the large number never leaves the logarithm.

## Why not squared error for classes?

One could also compare the probability with 1 and square: $(1 - p)^2$. For two classes with $p = \sigma(z)$, where $z$ is the true class's lead, which
loss pulls harder at $z = -8$, where the model is sure and wrong? Guess both slopes, then look.
"""


# %%
def analyze_slopes():
    """Squared error and surprise against the lead of the true class, and their slopes."""
    z = np.linspace(-10, 10, 401)
    p = sigmoid(Tensor(z)).data
    curves = {"squared error": (1 - p) ** 2, "surprise": -np.log(p)}
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
    for style, (name, loss) in zip(("--", "-"), curves.items(), strict=True):
        slope = np.gradient(loss, z)
        left.plot(z, loss, style, label=name)
        right.plot(z, slope, style, label=name)
        print(
            f"{name:14} slope at lead -8: {slope[40]:.4f}, at 0: {slope[200]:.4f}, "
            f"at +8: {slope[360]:.4f}"
        )
    left.set(xlabel="lead of the true class (logit)", ylabel="loss [squares, nats]", title="Loss")
    right.set(
        xlabel="lead of the true class (logit)", ylabel="slope of the loss", title="What pulls"
    )
    left.legend()
    show(
        fig,
        alt="Squared error levels off at 1 where the model is most wrong, so its slope is zero "
        "there; surprise keeps a slope of -1",
    )


if __name__ == "__main__":
    analyze_slopes()

# %% [markdown]
r"""
Squared error is flat exactly where it is most wrong: at a lead of -8 its slope is over a thousand times smaller than that of surprise. A student who shrugs at the
worst mistakes does not learn from them. Surprise pulls with a slope of $p - 1$: in proportion to the error, never less. Softmax (or sigmoid)
and logarithm cancel each other's curvature; the pair was made for each other, and module 05 will show how short the derivative gets.

## Yes or no

For one question with two answers (spam? fraud?) the model gives a single $p$ = probability of "yes", and the target $t$ is 1 or 0. The surprise is

$$-\big(t \ln p + (1-t) \ln(1-p)\big)$$

Only one of the terms counts when $t$ is 0 or 1, but it must count: without the second, a model that always says yes is never wrong.
At $p = 0$ and $t = 0$ the first term is $0 \cdot (-\infty)$, which is `nan` on every computer. PyTorch's answer, and ours: hold each logarithm at
**-100** or above (documentation of `torch.nn.BCELoss`). Then $0 \cdot (-100)$ is 0, and a sure mistake costs 100, not infinity.
"""

# %% nbgrader={"grade": false, "grade_id": "check-probabilities", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def check_probabilities(prediction: np.ndarray) -> None:
    """Refuse predictions that are not probabilities.

    Raises:
        ArithmeticError: an entry below 0, above 1, or nan.

    Example:
        >>> check_probabilities(np.array([0.0, 0.5, 1.0]))
    """
    low, high = np.minimum.reduce(prediction, axis=None), np.maximum.reduce(prediction, axis=None)
    if not (low >= 0 and high <= 1):
        raise ArithmeticError(
            f"{high if low >= 0 else low} is not a probability: apply a sigmoid, "
            f"or use binary_cross_entropy_with_logits."
        )


# %% nbgrader={"grade": false, "grade_id": "binary-cross-entropy", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@op
def binary_cross_entropy(prediction, target):
    """Mean surprise of probabilities at yes/no targets.

    Logarithms are held at -100 or above, as in torch.nn.BCELoss.

    Args:
        prediction: probabilities of "yes", any shape, entries in [0, 1].
        target: the truth, same shape, 1 for yes and 0 for no (or a degree between).

    Returns:
        The mean over all elements, one number.

    Raises:
        ShapeError: the shapes differ, or are empty.
        ArithmeticError: a prediction outside [0, 1].

    TODO: the formula, with both logarithms clamped and no warning.
    APPROACH: 1. check_target and check_probabilities  2. two logarithms, each np.maximum(..., -100)
    3. weigh, sum, divide, negate
    EXAMPLE:
        >>> round(binary_cross_entropy(Tensor([0.9, 0.0]), Tensor([1, 0])).item(), 4)
        0.0527

    HINT: inside `with np.errstate(divide="ignore"):` the logarithm of 0 is a silent -inf.
    """
    ### BEGIN SOLUTION
    target = check_target(target, prediction.shape)
    check_probabilities(prediction)
    with np.errstate(divide="ignore"):
        log_yes = np.maximum(np.log(prediction), -100)
        log_no = np.maximum(np.log1p(-prediction), -100)  # ln(1 - p), exact for tiny p as well
    surprise = target * log_yes + (1 - target) * log_no
    return -surprise.sum() / surprise.size
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-binary-cross-entropy", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_binary_cross_entropy():
    """Both answers count, and certainty is finite."""
    check_close(lambda: binary_cross_entropy(Tensor([0.9, 0.2]), Tensor([1, 0])).data, 0.164252)
    check_close(lambda: binary_cross_entropy(Tensor([0.0, 1.0]), Tensor([0, 1])).data, 0.0)
    ### BEGIN HIDDEN TESTS
    check_close(
        lambda: binary_cross_entropy(Tensor([0.0, 1.0, 0.5]), Tensor([1, 0, 1])).data,
        (200 + np.log(2)) / 3,
    )
    rng = np.random.default_rng(3)
    p, t = rng.uniform(0.01, 0.99, size=(2, 3, 4))
    expected = -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean()
    check_close(lambda: binary_cross_entropy(Tensor(p), Tensor(t)).data, expected)
    check_raises(
        ShapeError,
        lambda: binary_cross_entropy(Tensor(p), Tensor(t[0])),
        mentions=["(3, 4)", "(4,)"],
    )
    check_raises(
        ArithmeticError, lambda: binary_cross_entropy(Tensor([1.5]), Tensor([1])), mentions=["1.5"]
    )
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_binary_cross_entropy()

# %% [markdown]
r"""
The clamp keeps training alive, but it forges the answer: at $z = -200$ the surprise is 200, not 100, and beyond the clamp the loss is flat again. As with
classes, the cure is not to leave log space. Put $p = \sigma(x) = 1/(1 + e^{-x})$ into the formula and sort:

$$\ell(x, t) = \ln(1 + e^{x}) - x\,t$$

$\ln(1 + e^x)$ overflows at $x = 89$. For $x > 0$ pull $x$ out, $\ln(1 + e^x) = x + \ln(1 + e^{-x})$, and write both cases in one line:

$$\ln(1 + e^x) = \max(x, 0) + \ln(1 + e^{-|x|})$$

The exponential is now at most 1. `np.log1p(y)` is $\ln(1 + y)$ without first rounding $1 + y$: at $y = 10^{-9}$ it gives $10^{-9}$ where `np.log(1 + y)` gives 0.
"""

# %% nbgrader={"grade": false, "grade_id": "binary-cross-entropy-with-logits", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@op
def binary_cross_entropy_with_logits(logits, target):
    """Mean surprise of sigmoid(logits) at yes/no targets, right for logits of any size.

    Args:
        logits: scores of "yes", any shape.
        target: the truth, same shape, 1 for yes and 0 for no (or a degree between).

    Returns:
        The mean over all elements, one number.

    Raises:
        ShapeError: the shapes differ, or are empty.

    TODO: max(x, 0) - x t + ln(1 + exp(-|x|)), and its mean.
    APPROACH: 1. check_target  2. the three terms  3. sum, divided by the number of elements
    EXAMPLE:
        >>> binary_cross_entropy_with_logits(Tensor([-200.0, 200.0]), Tensor([1, 1])).item()
        100.0

    HINT: np.maximum, np.log1p, np.exp, np.abs.
    """
    ### BEGIN SOLUTION
    target = check_target(target, logits.shape)
    surprise = np.maximum(logits, 0) - logits * target + np.log1p(np.exp(-np.abs(logits)))
    return surprise.sum() / surprise.size
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-binary-cross-entropy-with-logits", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_binary_cross_entropy_with_logits():
    """Coin flips cost ln 2, and logits of hundreds are no problem on either side."""
    check_close(
        lambda: binary_cross_entropy_with_logits(Tensor([0.0, 0.0]), Tensor([1, 0])).data, 0.693147
    )
    check_close(
        lambda: binary_cross_entropy_with_logits(Tensor([-200.0, 200.0]), Tensor([1, 1])).data,
        100.0,
    )
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(4)
    x, t = rng.normal(size=(2, 3, 4)) * 3, rng.uniform(size=(2, 3, 4))
    expected = (np.log1p(np.exp(x)) - x * t).mean()
    check_close(lambda: binary_cross_entropy_with_logits(Tensor(x), Tensor(t)).data, expected)
    check_close(
        lambda: binary_cross_entropy_with_logits(Tensor([-500.0, 500.0]), Tensor([1, 0])).data,
        500.0,
    )
    check_raises(
        ShapeError,
        lambda: binary_cross_entropy_with_logits(Tensor(x[0, 0][:, None]), Tensor(t[0, 0])),
        mentions=["(4, 1)", "(4,)"],
    )
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_binary_cross_entropy_with_logits()

# %% [markdown]
r"""
PyTorch's losses also take `reduction="sum"` and `"none"`; the next cell makes them of the mean.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-reductions", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def check_reduction(reduction: str) -> str:
    """Return "mean", "sum" or "none".

    Raises:
        ValueError: anything else.
    """
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction is 'mean', 'sum' or 'none', not {reduction!r:.40}.")
    return reduction


def reduced(loss: Callable, reduction: str, prediction: Tensor, target: Any) -> Tensor:
    """A loss as its mean, as its sum, or one number for each target."""
    if reduction == "none" and np.ndim(raw(target)):
        return stack(
            [reduced(loss, "none", row, part) for row, part in zip(prediction, target, strict=True)]
        )
    mean = loss(prediction, target)
    return mean * np.size(raw(target)) if reduction == "sum" else mean


# %% [markdown]
r"""
## As modules

A loss has no parameters; as a `Module` it can still be configured, stored and swapped like any other part of a training script. The folded cell
wraps the four functions above.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "loss-classes", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class MSELoss(Module):
    """Mean squared error of quantities; see mse_loss.

    Example:
        >>> MSELoss()(Tensor([1, 2]), Tensor([1, 5])).item()
        4.5
    """

    def __init__(self, reduction: str = "mean") -> None:
        self.reduction = check_reduction(reduction)

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the mean squared difference of two Tensors of one shape."""
        return reduced(mse_loss, self.reduction, prediction, target)


class CrossEntropyLoss(Module):
    """Mean surprise of logits of shape (..., C) at class numbers of shape (...); see cross_entropy.

    Example:
        >>> round(CrossEntropyLoss()(Tensor([[0, 0], [9, 0]]), [1, 0]).item(), 4)
        0.3466
    """

    def __init__(self, reduction: str = "mean", label_smoothing: float = 0.0) -> None:
        self.reduction = check_reduction(reduction)
        if not 0 <= label_smoothing <= 1:
            raise ValueError(
                f"label_smoothing is a share of the target, from 0 to 1, "
                f"not {label_smoothing!r:.40}."
            )
        self.label_smoothing = label_smoothing

    def forward(self, prediction: Tensor, target: Any) -> Tensor:
        """Return the mean cross-entropy; `prediction` holds logits, not probabilities."""
        loss = reduced(cross_entropy, self.reduction, prediction, target)
        if not self.label_smoothing:
            return loss
        # (..., C) -> (...): the share that every class gets (Szegedy et al., 2016)
        spread = -log_softmax(prediction).mean(axis=-1)
        spread = {"mean": spread.mean, "sum": spread.sum, "none": lambda: spread}[self.reduction]()
        return (1 - self.label_smoothing) * loss + self.label_smoothing * spread


class BinaryCrossEntropyLoss(Module):
    """Mean surprise of probabilities at yes/no targets; see binary_cross_entropy.

    Example:
        >>> round(BCELoss()(Tensor([0.5]), Tensor([1])).item(), 4)
        0.6931
    """

    def __init__(self, reduction: str = "mean") -> None:
        self.reduction = check_reduction(reduction)

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the mean binary cross-entropy; `prediction` holds probabilities."""
        return reduced(binary_cross_entropy, self.reduction, prediction, target)


class BCEWithLogitsLoss(Module):
    """Mean surprise of sigmoid(logits) at yes/no targets; see binary_cross_entropy_with_logits.

    Example:
        >>> round(BCEWithLogitsLoss()(Tensor([0.0]), Tensor([1])).item(), 4)
        0.6931
    """

    def __init__(self, reduction: str = "mean") -> None:
        self.reduction = check_reduction(reduction)

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the mean binary cross-entropy; `prediction` holds logits."""
        return reduced(binary_cross_entropy_with_logits, self.reduction, prediction, target)


BCELoss = BinaryCrossEntropyLoss

# %% [markdown]
r"""
## Measure: what does fusing buy?

The composed and the fused cross-entropy do the same arithmetic for N = 64 rows and C classes. Predict three things: the ratio of their times at
C = 10 (a digit classifier) and at C = 50,257 (the vocabulary of GPT-2), and how many tables of N x C float32 each holds at its peak.
"""


# %%
def analyze_fusing():
    """Time and peak memory of composed and fused cross-entropy, 64 rows, 10 to 50,257 classes."""
    N, rng = 64, np.random.default_rng(0)
    sizes = [10, 100, 1000, 10_000, 50_257]
    losses = {"composed": cross_entropy_composed, "fused": cross_entropy}
    ms, tables = {name: [] for name in losses}, {name: [] for name in losses}
    for C in sizes:
        logits = Tensor(rng.standard_normal((N, C), dtype=np.float32))
        labels = rng.integers(0, C, N)
        for name, timing in compare(losses, logits, labels, samples=10).items():
            ms[name].append(timing.low_ms)
            tables[name].append(peak_bytes(losses[name], logits, labels) / (4 * N * C))
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
    for style, name in zip(("s--", "o-"), losses, strict=True):
        left.loglog(sizes, ms[name], style, label=name)
        right.semilogx(sizes[1:], tables[name][1:], style, label=name)
    left.set(xlabel="classes", ylabel="time [ms]", title="64 rows")
    right.set(
        xlabel="classes",
        ylabel="peak memory [N x C tables]",
        ylim=(0, None),
        title="On top of the logits",
    )
    left.legend()
    for i in (0, -1):
        slow, quick = ms["composed"][i], ms["fused"][i]
        times = f"composed {slow:8.3f} ms, fused {quick:8.3f} ms"
        print(f"C = {sizes[i]:>6,}: {times}, ratio {slow / quick:.1f}")
    peaks = f"composed {tables['composed'][-1]:.1f} tables, fused {tables['fused'][-1]:.1f}"
    print(f"peak at C = {sizes[-1]:,}: {peaks}")
    show(
        fig,
        alt="Left: time against classes, both lines rise together. Right: from 1,000 classes on "
        "the fused loss holds one table of N x C numbers at its peak, the composed one three",
    )


if __name__ == "__main__":
    analyze_fusing()

# %% [markdown]
r"""
At ten classes both pay mainly for the calls; with a large vocabulary they pay for trips through memory, and the composed version makes more of them. How much
time fusing saves depends on the machine: your ratios stand above. The memory it saves does not, since that is counted in tables; and it buys the right
answer beyond a gap of 100, which is worth more than both.

Memory is what hurts in practice. GPT-2 on 8 texts of 1,024 tokens makes logits of 8 x 1,024 x 50,257 float32: 1.6 GB **per table**, three times the
weights of its small version. Gemma 2 (2B) spent 24 GB on the loss alone, until a kernel that never writes the table down brought it to 1 MB (Wijmans
et al., *Cut Your Losses in Large-Vocabulary Language Models*, 2024).

## The whole module

Before you believe a loss, ask what a model that knows nothing would get: equal probabilities for $C$ classes surprise by $\ln C$, 2.303 for ten digits.
$e^{\text{loss}}$ is called **perplexity**: the number of equally likely classes that would surprise as much. (Always ask: per what? The 17.5 that GPT-2 reports
on WikiText-103 is per *word*, though it predicts *tokens*, which are shorter and so surprise less each; Radford et al., 2019, section 3.1.)

The classifier of the test below compares a digit with the average image of each class: the logit is $-s$ times the squared distance. Whatever the
scale $s > 0$, the nearest average is the same, so the share of right answers is the same. Is the loss? Predict its order for $s$ = 0, 1 and 20.
"""

# %% nbgrader={"grade": false, "grade_id": "digit-scores", "locked": true, "schema_version": 3, "solution": false, "task": false}
def digit_scores():
    """Minus the squared distance of the last 397 digits to each class's average; their labels."""
    pixels, labels = load_digits()
    seen, names = pixels[:1400], labels[:1400]
    means = np.stack([seen[names == c].mean(axis=0) for c in range(10)])  # (10, 64)
    return -((pixels[1400:, None] - means) ** 2).sum(axis=-1), labels[1400:]  # (397, 10), (397,)


# %%
def analyze_confidence():
    """Accuracy, loss and perplexity of one classifier, told with growing confidence."""
    scores, truth = digit_scores()
    right = np.mean(scores.argmax(axis=1) == truth)
    print(f"the nearest average is right for {right:.1%} of the digits")
    for scale in (0, 0.1, 1, 2, 5, 20):
        loss = cross_entropy(Tensor(scale * scores), truth).item()
        print(f"scale {scale:4}: loss {loss:.3f} nats, perplexity {np.exp(loss):6.2f}")


if __name__ == "__main__":
    analyze_confidence()

# %% nbgrader={"grade": true, "grade_id": "test-module-losses", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_module():
    """The parts together: a model that knows nothing, real digits, losses that agree."""
    scores, truth = digit_scores()
    loss = CrossEntropyLoss()
    check_close(lambda: loss(Tensor(0 * scores), truth).data, np.log(10))
    logs = np.log(np.exp(scores.astype(np.float64)).sum(axis=1))
    expected = (logs - scores[np.arange(397), truth]).mean()
    check_close(lambda: loss(Tensor(scores), truth).data, expected)
    check_equal(lambda: loss(Tensor(20 * scores), truth).item() > np.log(10).item(), True)
    x, t = np.array([[1.5, -0.5], [0.0, 3.0]]), np.array([[1, 0], [0, 1]])
    sure = BCEWithLogitsLoss()(Tensor(x), Tensor(t)).data
    check_close(lambda: BCELoss()(Tensor(1 / (1 + np.exp(-x))), Tensor(t)).data, sure)
    ### BEGIN HIDDEN TESTS
    rows = log_softmax(Tensor(scores)).data
    check_close(lambda: -rows[np.arange(397), truth].mean(), expected)
    onehot = np.eye(10)[truth]
    check_close(lambda: MSELoss()(Tensor(0 * scores), Tensor(onehot)).data, 0.1)
    pair = np.stack([np.zeros(4), x.reshape(-1)], axis=1)  # (4, 2): "no" has logit 0
    check_close(
        lambda: loss(Tensor(pair), t.reshape(-1)).data,
        BCEWithLogitsLoss()(Tensor(x), Tensor(t)).data,
    )
    batch = Tensor(scores[:12]).reshape(3, 4, 10)
    check_close(
        lambda: loss(batch, truth[:12].reshape(3, 4)).data,
        loss(Tensor(scores[:12]), Tensor(truth[:12])).data,
    )
    check_raises(IndexError, lambda: loss(batch, np.full((3, 4), 10)), mentions=["10"])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_module()

# %% [markdown]
r"""
**Question.** A friend's network for 10 classes reports a loss of 8.1 *before* the first training step. What should that number be, what does 8.1 say about
its logits, and where would you look for the cause?
"""

# %% [markdown] nbgrader={"grade": true, "grade_id": "q-initial-loss", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
r"""
About ln(10) = 2.3: an untrained network knows nothing and should say so. A loss of 8.1 is a perplexity of 3,300 with only 10 classes, so the network is
sure and wrong: its logits are spread over many units (a standard deviation of 5 is enough) instead of lying close together. The scale comes from the last
layer's initial weights, or from inputs that were never normalised (pixels of 0 to 255). Scale them down and look again; the first steps of training would
otherwise only shrink the logits.
"""

# %% [markdown]
r"""
**To think about.** The smallest cross-entropy of a model with finite logits is never 0. What will training do to the logits of a digit that is already
classified correctly, and when would you rather have it stop?

You can say how wrong a model is, in one number with a slope. Finding that slope by hand takes a page of algebra for every new network.
**Module 05** builds the machine that does it for all of them at once.
"""
