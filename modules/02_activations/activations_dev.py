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
# Module 02: Activations

Stack two linear layers and nothing is gained: together they are one linear layer again. The function between them is what
lets a network bend. You will build five, and meet the first place where correct mathematics gives `nan`.

**Needs** `Tensor` (01) | **Exports** `tinytorch.core.activations` | **About** 2 hours | **Points** 45
"""

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| default_exp core.activations
#| export
from math import pi, sqrt

import numpy as np

from tinytorch.core.tensor import Tensor, op

# %% nbgrader={"grade": false, "grade_id": "page-imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
import warnings  # this page only: tests, plots and measurements are not exported
from math import erf

import matplotlib.pyplot as plt

from tinytorch.core.tensor import squared_distances
from tito.lab import bench, check_close, check_equal, compare, load_digits, peak_bytes, show

# %% [markdown]
r"""
## Two layers that are one

A linear layer takes a vector $x$ to $Wx + b$. Put a second one behind it and multiply out:

$$W_2(W_1 x + b_1) + b_2 = (W_2 W_1)\,x + (W_2 b_1 + b_2)$$

The right-hand side has the form $Wx + b$. Whatever two layers can say, one can say; by the same argument so can a
hundred. A numeric example, with one input, two hidden numbers and one output:

```
W1 = [ 2 ]   b1 = [ 1 ]        W2 = [ 3  1 ]   b2 = [ 10 ]
     [-1 ]        [ 0 ]

x = 3   ->   [ 7, -3 ]   ->   3*7 - 3 + 10 = 28
W = 3*2 + 1*(-1) = 5     b = 3*1 + 1*0 + 10 = 13     ->     5*3 + 13 = 28
```

Is there a price for the second layer all the same? Count the multiplications of both sides for sizes 1000, 1000, 1000.
"""


# %% nbgrader={"grade": false, "grade_id": "merge-layers", "locked": false, "schema_version": 3, "solution": true, "task": false}
def merge_layers(w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> tuple[Tensor, Tensor]:
    """Return the weight and the bias of the one linear layer that does the work of two.

    Args:
        w1, b1: the first layer, shapes (hidden, in) and (hidden,).
        w2, b2: the second layer, shapes (out, hidden) and (out,).

    Returns:
        weight of shape (out, in) and bias of shape (out,).

    TODO: the right-hand side of the equation, with Tensor operations.
    APPROACH: 1. the product of the weights  2. the first bias, seen through the second layer
    EXAMPLE:
        >>> w1, w2 = Tensor([[2], [-1]]), Tensor([[3, 1]])
        >>> weight, bias = merge_layers(w1, Tensor([1, 0]), w2, Tensor([10]))
        >>> weight.data, bias.data
        (array([[5.]], dtype=float32), array([13.], dtype=float32))

    HINT: `@` multiplies a matrix with a vector too.
    """
    ### BEGIN SOLUTION
    weight = w2 @ w1  # (out, hidden) @ (hidden, in) -> (out, in)
    bias = w2 @ b1 + b2  # (out, hidden) @ (hidden,) + (out,) -> (out,)
    return weight, bias
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-merge-layers", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_merge_layers():
    """The example of the text; then one layer gives what two gave."""
    layers = [Tensor([[2], [-1]]), Tensor([1, 0]), Tensor([[3, 1]]), Tensor([10])]
    check_close(lambda: merge_layers(*layers)[0].data, [[5]])
    check_close(lambda: merge_layers(*layers)[1].data, [13])
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(0)
    w1, b1, w2, b2 = (
        rng.normal(size=shape).astype(np.float32) for shape in [(3, 3), (3,), (3, 3), (3,)]
    )
    x = rng.normal(size=(6, 3)).astype(np.float32)
    merged = merge_layers(Tensor(w1), Tensor(b1), Tensor(w2), Tensor(b2))
    check_close(
        lambda: (Tensor(x) @ merged[0].T + merged[1]).data, (x @ w1.T + b1) @ w2.T + b2, atol=1e-4
    )
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_merge_layers()

# %% [markdown]
r"""
## ReLU: the cheapest bend

$$\mathrm{relu}(x) = \max(x, 0)$$

Half a line, and enough. In 1969 Minsky and Papert showed that no single layer computes XOR ("one or the other, not both"): no
straight line parts the two classes. Two ReLU units do (weights from Goodfellow et al., *Deep Learning*, 2016, section 6.1):

```
x1 x2     h1 = x1 + x2    h2 = x1 + x2 - 1      relu(h1)  relu(h2)      relu(h1) - 2 relu(h2)
 0  0          0               -1                   0         0                   0
 0  1          1                0                   1         0                   1
 1  0          1                0                   1         0                   1
 1  1          2                1                   2         1                   0
```

Leave `relu` out and redo the last column: 2, 1, 1, 0. One `max` in one row of the table makes the difference.

Nothing is squeezed where $x > 0$, so signals keep their size through many layers. A convolutional network with ReLU reached
25 % training error on CIFAR-10 in a sixth of the epochs that tanh needed (Krizhevsky et al., *AlexNet*, 2012, figure 1).
"""


# %% nbgrader={"grade": false, "grade_id": "relu", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@op
def relu(x):
    """Each element, or 0 where it is negative.

    Args:
        x: array of any shape.

    Returns:
        new array of the same shape; x stays as it was.

    TODO: max(x, 0), element by element.
    APPROACH: 1. one NumPy function compares every element with 0
    EXAMPLE:
        >>> relu(Tensor([-2.0, 0.0, 3.0])).data
        array([0., 0., 3.], dtype=float32)

    HINT: `np.max` folds an axis away; its elementwise sister takes two arguments.
    """
    ### BEGIN SOLUTION
    return np.maximum(x, 0)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-relu", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_relu():
    """Negative numbers become exactly 0, the others stay."""
    check_close(lambda: relu(Tensor([-2, -0.5, 0, 3])).data, [0, 0, 0, 3])
    ### BEGIN HIDDEN TESTS
    numbers = np.random.default_rng(1).normal(size=(2, 3, 4)).astype(np.float32)
    x = Tensor(numbers)
    check_close(lambda: relu(x).data, (numbers + abs(numbers)) / 2)
    check_close(lambda: x.data, numbers)
    check_close(lambda: relu(Tensor(-3.0)).data, 0.0)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_relu()

# %% [markdown]
r"""
## Sigmoid: a number becomes a probability

$$\sigma(x) = \frac{1}{1 + e^{-x}} \qquad \sigma(-x) = 1 - \sigma(x)$$

$\sigma(0) = 0.5$, $\sigma(2) = 0.88$, $\sigma(-2) = 0.12$: the answer "how sure?" for one yes-or-no question.

Now a very confident no, $x = -1000$. The answer is 0 to every digit, but on the way stands $e^{1000}$, and float32 ends at
$3.4 \cdot 10^{38} = e^{88.7}$. NumPy makes it `inf`, says so in a warning, and $1/\mathrm{inf}$ happens to be right. The textbook's other form,
$e^x / (1 + e^x)$, is worse off: at $x = +1000$ it is `inf / inf`, and that is `nan`. One `nan` in one sum, and the whole model is `nan`.

The rule behind every stable formula in this course: **never exponentiate a large positive number.** Here it is easy. From
$x = -87$ down, $\sigma(x)$ is below $10^{-37}$, which is nothing next to anything; so hold the exponent at 87, where $e^{87} = 6 \cdot 10^{37}$ still fits:

```
x                    -1000       -87       -2      0      2     1000
exponent -x           1000        87        2      0     -2    -1000
held at 87              87        87        2      0     -2    -1000
1 + e^held          6.1e37    6.1e37     8.39      2   1.14        1
sigmoid            1.6e-38   1.6e-38     0.12    0.5   0.88        1
```
"""


# %% nbgrader={"grade": false, "grade_id": "warnings-of", "locked": true, "schema_version": 3, "solution": false, "task": false}
def warnings_of(function, *inputs):
    """What NumPy complains about while the function runs, as a list of texts."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function(*inputs)
    return [str(warning.message) for warning in caught]


# %% nbgrader={"grade": false, "grade_id": "sigmoid", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@op
def sigmoid(x):
    """Squeeze each element into (0, 1): 1 / (1 + e^-x), without overflow.

    Args:
        x: array of any shape.

    Returns:
        new array of the same shape.

    TODO: the formula, with no exponent above 87.
    APPROACH: 1. hold -x at 87  2. exponentiate  3. add 1  4. take the reciprocal
    EXAMPLE:
        >>> sigmoid(Tensor([-1000.0, 0.0, 1000.0])).data.round(2)
        array([0. , 0.5, 1. ], dtype=float32)

    HINT: `e += 1` works on the array that is there; `e + 1` asks for a new one.
    """
    ### BEGIN SOLUTION
    e = np.exp(np.minimum(-x, 87))  # at most e^87 = 6e37, which a float32 still holds
    e += 1
    return 1 / e
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-sigmoid", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_sigmoid():
    """Known values, no overflow on either side, and a tail that is not cut off."""
    check_close(lambda: sigmoid(Tensor([-2, 0, 2])).data, [0.1192029, 0.5, 0.8807971])
    check_equal(lambda: warnings_of(sigmoid, Tensor([-1000.0, 1000.0])), [])
    check_close(lambda: sigmoid(Tensor([-1000, 1000])).data, [0, 1], atol=1e-4)
    ### BEGIN HIDDEN TESTS
    x = np.random.default_rng(2).uniform(-8, 8, size=(3, 4)).astype(np.float32)
    expected = 1 / (1 + np.exp(-x.astype(np.float64)))
    check_close(lambda: sigmoid(Tensor(x)).data, expected)
    check_close(lambda: sigmoid(Tensor([-12.0])).data, [6.1442e-06], rtol=0.02, atol=1e-7)
    check_close(lambda: sigmoid(Tensor(0.0)).data, 0.5)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_sigmoid()

# %% [markdown]
r"""
## Tanh: the same curve, centred

$$\tanh(x) = \frac{e^x - e^{-x}}{e^x + e^{-x}} = 2\,\sigma(2x) - 1$$

It runs from -1 to 1 and passes through 0 with slope 1: small signals come out as they went in, of either sign.

Two formulas, so which one do you program? The left one is `inf / inf` at $x = 100$. The right one has a quieter fault. Between 0.5 and 1
neighbouring float32 numbers lie $6 \cdot 10^{-8}$ apart, so at $x = 10^{-6}$:

```
sigmoid(2e-6)        exact  0.500000500000...      float32  0.50000054
2 * that - 1         exact  0.000001000000         float32  0.00000107        7 % off
```

Subtracting two nearly equal numbers leaves their rounding errors: **cancellation**, the second classic of numerical work
after overflow. A good library function has both cases in mind, separate formulas for small and large arguments, and vector
instructions besides. Knowing when *not* to write it yourself is part of the craft.
"""


# %% nbgrader={"grade": false, "grade_id": "tanh", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@op
def tanh(x):
    """Squeeze each element into (-1, 1): the hyperbolic tangent.

    Args:
        x: array of any shape.

    Returns:
        new array of the same shape.

    TODO: a tanh that is right to six digits for tiny and for huge elements.
    APPROACH: 1. NumPy has one that passes the test below; the two formulas above do not
    EXAMPLE:
        >>> tanh(Tensor([-1000.0, 0.0, 1.0])).data.round(4)
        array([-1.    ,  0.    ,  0.7616], dtype=float32)

    HINT: try a formula first, if you like, and read what the test says.
    """
    ### BEGIN SOLUTION
    return np.tanh(x)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-tanh", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_tanh():
    """Known values, huge ones, and tiny ones to six digits."""
    check_close(lambda: tanh(Tensor([-1, 0, 1])).data, [-0.7615942, 0, 0.7615942])
    check_equal(lambda: warnings_of(tanh, Tensor([-1000.0, 1000.0])), [])
    ### BEGIN HIDDEN TESTS
    check_close(lambda: tanh(Tensor([-1000, 1000])).data, [-1, 1])
    check_close(lambda: tanh(Tensor([1e-6, -3e-6])).data, [1e-6, -3e-6], rtol=1e-4, atol=0)
    x = np.random.default_rng(3).normal(size=(2, 5)).astype(np.float32)
    check_close(lambda: tanh(Tensor(x)).data, np.tanh(x.astype(np.float64)))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_tanh()

# %% [markdown]
r"""
## GELU: a ReLU that hesitates

ReLU asks whether $x$ is positive. GELU asks how likely it is that $x$ is larger than a normal random number, and lets through that share
of it: $x \cdot \Phi(x)$ (Hendrycks & Gimpel, 2016). It stands between the two linear layers of every block of GPT-2 and BERT.
Where speed counts more than exactness, the authors offer a tanh that follows $\Phi$ closely, and GPT-2 took it:

$$\mathrm{gelu}(x) \approx \tfrac12\, x \left(1 + t\right) \qquad t = \tanh\!\left(\sqrt{2/\pi}\,\left(x + 0.044715\,x^3\right)\right)$$

With $x = 1$: inside $0.7979 \cdot 1.0447 = 0.8336$, its tanh $t = 0.6824$, and half of $1.6824$ is $0.8412$; exactly it would be $0.8413$.

Module 05 will want the derivative of this, and $t$ occurs in it again. What a tanh costs differs between processors (a cell further down prints
it in multiplications of yours), but work that is done need not be done twice: an operation may return **a pair**, the result and what the
derivative can use. Callers still see the result only.

Two traps on the way. `np.sqrt(2 / np.pi)` is a float64 that turns everything it touches into float64, which is why the constants
below are Python numbers. And for `x**3` NumPy calls a general power function. How much slower than `x * x * x`? Guess; a cell below says.
"""

# %% nbgrader={"grade": false, "grade_id": "gelu-constants", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
GELU_SCALE = sqrt(2 / pi)
GELU_CUBE = 0.044715  # Hendrycks & Gimpel, 2016, section 2


# %% nbgrader={"grade": false, "grade_id": "kept-by", "locked": true, "schema_version": 3, "solution": false, "task": false}
def kept_by(operation, x):
    """What an operation keeps of x for its derivative: the second part of its pair, or None."""
    result = operation.__wrapped__(x)  # the function as you wrote it, without @op
    return result[1] if type(result) is tuple else None


# %% nbgrader={"grade": false, "grade_id": "gelu", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@op
def gelu(x):
    """The Gaussian error linear unit x * Phi(x), in its tanh form.

    Args:
        x: array of any shape.

    Returns:
        the pair (y, t): the result and the tanh in it, arrays of the shape of x.

    TODO: t and y of the formula.
    APPROACH: 1. the inside of the tanh, with x * x and no power  2. t  3. y = x (1 + t) / 2
    4. return both
    EXAMPLE:
        >>> gelu(Tensor([-1.0, 0.0, 1.0])).data.round(4)
        array([-0.1588,  0.    ,  0.8412], dtype=float32)

    HINT: x + c x^3 = (c x^2 + 1) x: start with `t = x * x`, then `t *= ...`, `t += 1`, in place.
    """
    ### BEGIN SOLUTION
    t = x * x  # becomes sqrt(2/pi) * (x + 0.044715 x^3), one step at a time, in the same memory
    t *= GELU_CUBE
    t += 1
    t *= x
    t *= GELU_SCALE
    t = np.tanh(t)
    y = t + 1
    y *= x
    y *= 0.5
    return y, t
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-gelu", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_gelu():
    """The example of the text, other values, and the tanh that is kept."""
    check_close(lambda: gelu(Tensor([1.0])).data, [0.841192])
    check_close(lambda: gelu(Tensor([-2.0, 2.0])).data, [-0.0454023, 1.9545977])
    x = np.linspace(-3, 3, 7, dtype=np.float32)
    t = np.tanh(0.7978846 * (x + 0.044715 * x * x * x))
    check_close(lambda: kept_by(gelu, x), t)
    ### BEGIN HIDDEN TESTS
    wide = np.random.default_rng(4).uniform(-9, 9, size=(4, 5)).astype(np.float32)
    w = wide.astype(np.float64)
    expected = 0.5 * w * (1 + np.tanh(np.sqrt(2 / np.pi) * (w + 0.044715 * w**3)))
    check_close(lambda: gelu(Tensor(wide)).data, expected)
    check_equal(lambda: kept_by(gelu, x).dtype.name, "float32")
    once = np.linspace(-3, 3, 7, dtype=np.float32)
    check_close(lambda: [kept_by(gelu, once), once], [t, np.linspace(-3, 3, 7)])  # unchanged
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_gelu()

# %% [markdown]
r"""
## Softmax: scores become a distribution

Sigmoid answers one yes-or-no question. To choose among $C$ classes, make every score positive and divide by the sum:

$$\mathrm{softmax}(x)_i = \frac{e^{x_i}}{\sum_j e^{x_j}}$$

Try it on paper with $x = (1, 2, 3)$. Then with $x = (1000, 1001, 1002)$: the answer is the same (why?), yet the exponentials overflow.
The rule from above helps again. Multiply numerator and denominator by $e^{-m}$ with $m = \max_j x_j$: nothing changes but the exponents.

```
x          1000   1001   1002
x - m        -2     -1      0      the largest exponent is 0, so every e^(x-m) is at most 1
e^(x-m)    0.14   0.37   1.00      and one of them is 1, so the sum is at least 1: no 0 / 0 either
softmax    0.09   0.24   0.67
```

Which maximum, though? In a batch of shape (B, C) every row is a question of its own, with its own maximum and its own sum. And scores do not always
lie along the last axis: in an image model they have shape (B, C, H, W), and `axis` is 1.
"""


# %% nbgrader={"grade": false, "grade_id": "softmax", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@op
def softmax(x, axis=-1):
    """Turn scores into probabilities that sum to 1 along `axis`.

    Args:
        x: scores, shape (..., C, ...).
        axis: the axis of the C classes.

    Returns:
        new array of the same shape, every entry in [0, 1].

    TODO: softmax without overflow.
    APPROACH: 1. subtract the maximum along `axis`  2. exponentiate  3. divide by the sum
    EXAMPLE:
        >>> softmax(Tensor([1000.0, 1001.0, 1002.0])).data.round(2)
        array([0.09, 0.24, 0.67], dtype=float32)

    HINT: `keepdims=True` keeps (B, C) / (B, 1) broadcastable. `e /= total` needs no second array.
    """
    ### BEGIN SOLUTION
    shifted = x - x.max(
        axis=axis, keepdims=True, initial=-np.inf
    )  # (..., C, ...) - (..., 1, ...): the largest entry is 0
    e = np.exp(shifted)  # in [0, 1]: cannot overflow
    e /= e.sum(axis=axis, keepdims=True)
    return e
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-softmax", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_softmax():
    """The example of the text, a batch, large scores, any axis."""
    expected = [0.0900306, 0.2447285, 0.6652410]
    check_close(lambda: softmax(Tensor([1, 2, 3])).data, expected)
    batch = [[1, 2, 3], [3, 1, 2]]
    rows = [expected, [0.6652410, 0.0900306, 0.2447285]]
    check_close(lambda: softmax(Tensor(batch)).data, rows)
    check_close(lambda: softmax(Tensor([1000, 1001, 1002])).data, expected)
    ### BEGIN HIDDEN TESTS
    numbers = np.random.default_rng(5).normal(size=(2, 5, 3)).astype(np.float32)
    e = np.exp(numbers.astype(np.float64))
    for axis in (1, 0, -1):
        check_close(
            lambda axis=axis: softmax(Tensor(numbers), axis=axis).data,
            e / e.sum(axis=axis, keepdims=True),
        )
    x = Tensor(numbers)
    check_close(lambda: softmax(x, axis=1).data.sum(axis=1), np.ones((2, 3)))
    check_close(lambda: x.data, numbers)
    square = Tensor([[0, 1], [1000, 1001]])
    half = [[0.2689414, 0.7310586]] * 2
    check_close(lambda: softmax(square).data, half)
    check_close(lambda: softmax(Tensor([0, -np.inf, 0])).data, [0.5, 0, 0.5])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_softmax()

# %% [markdown]
r"""
## The same as objects

A model keeps its parts as attributes, so PyTorch offers each activation as a small class too: `self.activation = nn.ReLU()`, later
`self.activation(x)`. They hold no numbers to be trained. `Softmax` holds an axis, which is the reason that classes are handy here. The
folded cell has all five; each calls the function of yours that it is named after.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "activation-layers", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Activation:
    """An activation as an object: a subclass says in `forward` what calling it does."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply the activation to a Tensor of any shape."""
        raise NotImplementedError(f"{type(self).__name__} has no forward yet: define it.")

    def __call__(self, x: Tensor) -> Tensor:
        return self.forward(x)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class ReLU(Activation):
    """max(x, 0), element by element.

    Example:
        >>> ReLU()(Tensor([-1.0, 2.0])).data
        array([0., 2.], dtype=float32)
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return relu(x), of the shape of x."""
        return relu(x)


class Sigmoid(Activation):
    """1 / (1 + e^-x), element by element.

    Example:
        >>> Sigmoid()(Tensor([0.0])).item()
        0.5
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return sigmoid(x), of the shape of x."""
        return sigmoid(x)


class Tanh(Activation):
    """The hyperbolic tangent, element by element.

    Example:
        >>> Tanh()(Tensor([0.0])).item()
        0.0
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return tanh(x), of the shape of x."""
        return tanh(x)


class GELU(Activation):
    """x * Phi(x) in its tanh form, element by element; in PyTorch this is GELU(approximate="tanh").

    Example:
        >>> round(GELU()(Tensor([1.0])).item(), 4)
        0.8412
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return gelu(x), of the shape of x."""
        return gelu(x)


class Softmax(Activation):
    """Probabilities that sum to 1 along an axis.

    Args:
        axis: the axis of the classes.

    Example:
        >>> Softmax(axis=0)(Tensor([[1.0], [1.0]])).data.tolist()
        [[0.5], [0.5]]
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        """Return softmax(x) along the axis, of the shape of x."""
        return softmax(x, axis=self.axis)

    def __repr__(self) -> str:
        return f"Softmax(axis={self.axis})"


# %% [markdown]
r"""
## Measure: the shapes

How far does the tanh form of GELU stray from the exact one, at most: a tenth, a hundredth, a thousandth?
"""


# %%
def analyze_shapes():
    """Draw the four elementwise activations, and measure the gap between the two forms of GELU."""
    x = np.linspace(-4, 4, 801, dtype=np.float32)
    curves = {"ReLU": relu, "sigmoid": sigmoid, "tanh": tanh, "GELU": gelu}
    fig, ax = plt.subplots(figsize=(5, 3))
    for marker, (name, function) in zip("osv^", curves.items(), strict=True):
        ax.plot(x, function(Tensor(x)).data, marker=marker, markevery=100, label=name)
    ax.set(xlabel="x", ylabel="activation", ylim=(-1.2, 3), title="Four ways to bend")
    ax.legend()
    exact = np.array([0.5 * v * (1 + erf(v / sqrt(2))) for v in x.tolist()])
    gap = abs(gelu(Tensor(x)).data - exact)
    print(
        f"GELU, tanh form against exact: at most {gap.max():.1e} apart, "
        f"at |x| = {abs(x[gap.argmax()]):.1f}"
    )
    show(
        fig,
        alt="Curves from -4 to 4: ReLU a kinked line, GELU a smooth one that dips below 0, "
        "sigmoid and tanh S-shaped",
    )


if __name__ == "__main__":
    analyze_shapes()

# %% [markdown]
r"""
Half a thousandth, smaller than the noise of any training run. GPT-2 was trained with the approximation, so whoever runs GPT-2
must use it as well: a formula becomes part of the weights.

## Measure: what does a bend cost?

One read and one write, 8 bytes an element: that is the least any elementwise function must move, and `np.copy` shows how fast it
can go. Predict for 2**20 elements: how many times slower than a copy are `relu`, `exp`, `tanh`, your `gelu`?
"""


# %%
def analyze_cost():
    """Milliseconds for 2**20 elements, of your functions and of other ways to write them."""
    array = np.random.default_rng(0).standard_normal(2**20, dtype=np.float32)
    x = Tensor(array)
    ways = {
        "np.copy(x)": lambda: np.copy(array),
        "relu(x)": lambda: relu(x),
        "x * (x > 0)": lambda: array * (array > 0),
        "np.where(x > 0, x, 0)": lambda: np.where(array > 0, array, 0),
        "np.exp(x)": lambda: np.exp(array),
        "np.tanh(x)": lambda: np.tanh(array),
        "sigmoid(x)": lambda: sigmoid(x),
        "gelu(x)": lambda: gelu(x),
        "x * x * x": lambda: array * array * array,
        "x**3": lambda: array**3,
    }
    ms = {name: timing.low_ms for name, timing in compare(ways).items()}
    for name in ways:
        print(f"{name:22} {ms[name]:8.3f} ms {ms[name] / ms['np.copy(x)']:8.1f} copies")
    product = ms["x * x * x"] / 2  # of two arrays
    print(f"a tanh costs {ms['np.tanh(x)'] / product:.1f} multiplications,", end=" ")
    print(f"np.where {ms['np.where(x > 0, x, 0)'] / ms['relu(x)']:.1f} relu,", end=" ")
    print(f"x**3 {ms['x**3'] / ms['x * x * x']:.0f} x * x * x", end=" ")
    print(f"and {ms['x**3'] / ms['gelu(x)']:.1f} gelu")


if __name__ == "__main__":
    analyze_cost()


# %%
def analyze_bandwidth():
    """Bytes moved per second, from arrays that fit the cache to arrays that do not."""
    sizes = [2**k for k in range(10, 25, 2)]
    functions = {"copy": np.copy, "relu": relu.__wrapped__, "exp": np.exp, "gelu": gelu.__wrapped__}
    rates = {name: [] for name in functions}
    for n in sizes:
        array = np.random.default_rng(0).standard_normal(n, dtype=np.float32)
        for name, timing in compare(functions, array, samples=7).items():
            rates[name].append(8 * n / timing.low_ms / 1e6)
    fig, ax = plt.subplots(figsize=(5, 3))
    for marker, (name, values) in zip("osv^", rates.items(), strict=True):
        ax.loglog(sizes, values, marker=marker, label=name)
    ax.set(
        xlabel="elements",
        ylabel="GB/s (8 bytes per element)",
        title="Elementwise functions, one core",
    )
    ax.legend()
    print(
        "GB/s at 16 million elements: "
        + ", ".join(f"{name} {values[-1]:.1f}" for name, values in rates.items())
    )
    show(
        fig,
        alt="Bytes per second against array size: copy far above the others until memory slows it "
        "to relu's rate; exp nearly flat, gelu lowest",
    )


if __name__ == "__main__":
    analyze_bandwidth()

# %% [markdown]
r"""
Read the figure from left to right. At a thousand elements the fixed price of calls shows: about a microsecond each, and GELU makes nine. In the
middle everything lies in the cache: the copy runs several times faster than `relu`, because there the processor's work is what counts. On the
right the arrays live in main memory, and now copy and `relu` come close to each other: both wait for bytes. `relu` has become
**memory-bound**. `exp` hardly notices; it computes a polynomial for each number and is **compute-bound** even here. GELU is too, until its
nine passes no longer find their arrays in the cache.

The last line holds a warning. `np.where` makes a branch of what `relu` does in one vector instruction, so where your figure is well above 1, that is
the price of the branch. (`x * (x > 0)` has no branch, but turns `-inf` into `nan`.) And if `x**3` costs more than one GELU, it costs more than the tanh
and everything around it: that is why the course multiplies.

For scale: a forward pass of the smallest GPT-2 over 1,024 tokens applies GELU to 12 blocks x 1,024 x 3,072 = 38 million
numbers (Radford et al., 2019). Frameworks fuse it with the bias before it, so that the numbers make the trip to memory once.

### Temporaries

Each intermediate result of a formula is an array. How much memory does `gelu` hold at its peak, written as in the book and written in place?
"""


# %%
def gelu_as_written(x):
    """The formula, one expression: every operator may ask for a new array."""
    return 0.5 * x * (1 + np.tanh(GELU_SCALE * (x + GELU_CUBE * (x * x * x))))


def analyze_temporaries():
    """Peak memory and time of GELU, in units of its input, as one expression and in place."""
    array = np.random.default_rng(0).standard_normal(2**20, dtype=np.float32)
    for name, function in [("one expression", gelu_as_written), ("your gelu", gelu.__wrapped__)]:
        arrays = peak_bytes(function, array) / array.nbytes
        print(
            f"{name:15} {arrays:4.1f} arrays at the peak, {bench(function, array).low_ms:6.2f} ms"
        )


if __name__ == "__main__":
    analyze_temporaries()

# %% [markdown]
r"""
If yours holds two arrays, those are $y$ and $t$, and both are part of the answer: less is not possible. The single expression needs a third to produce $y$ alone,
although NumPy notices some temporaries that nobody else holds and reuses them. Training keeps every $t$ until the backward pass, which makes memory,
not time, the scarcer good.

## Measure: what survives twenty layers?

Send 100 inputs through 20 layers of 256 units with random weights of standard deviation $1/\sqrt{256}$ (for ReLU $\sqrt2$ times that, since it
throws half away). How far apart are the 100 outputs still? Measure the standard deviation over the inputs, averaged over the units: it
starts at 1. Where does each activation end? And if no bend at all keeps it best, why use one?
"""


# %%
def analyze_depth():
    """Standard deviation over 100 inputs behind each of 20 random layers."""
    choices = {
        "none": (lambda x: x, 1),
        "relu": (relu, sqrt(2)),
        "tanh": (tanh, 1),
        "sigmoid": (sigmoid, 1),
    }
    fig, ax = plt.subplots(figsize=(5, 3))
    for marker, (name, (activation, gain)) in zip("osv^", choices.items(), strict=True):
        rng = np.random.default_rng(0)
        x = Tensor(rng.normal(size=(100, 256)))
        spread = []
        for _ in range(20):
            weight = Tensor(rng.normal(size=(256, 256)) * gain / 16)
            x = activation(x @ weight.T)  # (100, 256) @ (256, 256) -> (100, 256)
            spread.append(float(x.data.std(axis=0).mean()))
        ax.semilogy(range(1, 21), spread, marker=marker, markevery=2, label=name)
        print(
            f"{name:8} behind layer 1: {spread[0]:.2f}, 5: {spread[4]:.1e}, "
            f"10: {spread[9]:.1e}, 20: {spread[19]:.1e}"
        )
    ax.set(
        xlabel="layer",
        ylabel="standard deviation over inputs",
        title="How different do 100 inputs stay?",
    )
    ax.set_xticks(range(0, 21, 5))
    ax.legend()
    show(
        fig,
        alt="Spread against depth, logarithmic: none, relu and tanh stay above 0.1; "
        "sigmoid falls to 3e-7 by layer 10 and stays there",
    )


if __name__ == "__main__":
    analyze_depth()

# %% [markdown]
r"""
Sigmoid is nowhere steeper than 1/4, so each layer passes on at most a quarter of every difference. After ten layers the 100 outputs differ in the last bits of a float32
around 0.5, and what the curve shows from there on is rounding, not information: nothing behind that layer can tell the inputs apart. Derivatives
run through the same factors on their way back. This is the *vanishing gradient* that kept networks shallow for years (Hochreiter, 1991;
Glorot & Bengio, 2010). Tanh has slope 1 at 0, and ReLU has slope 1 on half the line; both carry the signal through, and module 03
chooses weights so that they do.

Without a bend the differences live on, but you know from the first section what those twenty layers are worth: one.

## Measure: the same softmax in three shapes

A million scores, a million exponentials. Does it matter how many classes a row has, and where the classes lie?
"""


# %%
def analyze_softmax():
    """Milliseconds for softmax over about 2**20 scores: long rows, short rows, short columns."""
    rng = np.random.default_rng(0)
    for shape, axis in [((1024, 1024), -1), ((104_857, 10), -1), ((10, 104_857), 0)]:
        x = rng.standard_normal(shape, dtype=np.float32)
        ways = {"whole": softmax.__wrapped__, "max": np.max, "sum": np.sum}
        ms = {name: timing.low_ms for name, timing in compare(ways, x, axis=axis).items()}
        whole, reductions = ms["whole"], ms["max"] + ms["sum"]
        print(
            f"shape {shape!s:14} axis {axis:2}: {whole:6.2f} ms, "
            f"of which max and sum {reductions:5.2f} ms"
        )


if __name__ == "__main__":
    analyze_softmax()

# %% [markdown]
r"""
Keep these three numbers; the question at the end asks for the reason.

## The whole module

Two things to try the parts on, both without any training. `XorNetwork` is the table from above. `vote` reads handwriting as module 01 did, but
asks all 1,400 known digits instead of the nearest one: each has a vote, and softmax makes the votes of the near ones large,

$$p = \mathrm{softmax}(-s\,D)\;Y \qquad D_{ij}\ \text{the squared distances of module 01,}\quad Y_{jc} = 1\ \text{where digit } j \text{ shows } c.$$

With sharpness $s = 0$ everybody counts the same; with a huge $s$ only the nearest one does. Where between the two will most digits be read? And
what is the vote of the winner worth as an answer to "how sure?"
"""


# %% nbgrader={"grade": false, "grade_id": "bent-models", "locked": true, "schema_version": 3, "solution": false, "task": false}
class XorNetwork:
    """Two inputs, two hidden units, one output (weights: Goodfellow et al., 2016, section 6.1)."""

    def __init__(self, activation):
        self.activation = activation
        self.hidden_weight, self.hidden_bias = Tensor([[1, 1], [1, 1]]), Tensor([0, -1])
        self.output_weight = Tensor([[1, -2]])

    def forward(self, x):
        hidden = self.activation(x @ self.hidden_weight.T + self.hidden_bias)  # (N, 2) -> (N, 2)
        return hidden @ self.output_weight.T  # (N, 2) @ (2, 1) -> (N, 1)


def vote(unknown, known, labels, sharpness):
    """The share of the votes that each of 10 classes gets: (N, 64), (M, 64), (M,) -> (N, 10)."""
    near = squared_distances(Tensor(unknown), Tensor(known))  # (N, M)
    weights = softmax(near * -sharpness)  # (N, M), rows that sum to 1
    return (weights @ Tensor(np.eye(10)[labels])).data  # (N, M) @ (M, 10) -> (N, 10)


# %%
def analyze_vote():
    """Share of digits read correctly, and the winner's mean share of the votes, by sharpness."""
    pixels, labels = load_digits()
    for sharpness in (0, 0.1, 1, 3, 10, 100):
        shares = vote(pixels[1400:], pixels[:1400], labels[:1400], sharpness)
        right = np.mean(shares.argmax(axis=1) == labels[1400:])
        sure = shares.max(axis=1).mean()
        print(f"sharpness {sharpness:5}: {right:.1%} read correctly, sure to {sure:.0%}")


if __name__ == "__main__":
    analyze_vote()

# %% [markdown]
r"""
Compare the line of sharpness 100, which asks the nearest digit alone, with the ones above it: if one of them reads more, a few neighbours outvote a single one
that happens to lie nearer. Compare also the two columns of a line: where "sure to" is far below "read correctly", the vote is too modest, where
it is above, too proud. You have just built what module 12 calls **attention**: a question compared with many keys, softmax over the answers, and a
weighted mean of what they have to say.
"""


# %% nbgrader={"grade": true, "grade_id": "test-module-activations", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_module():
    """The parts together: XOR is solved, real digits are read, a chain ends in probabilities."""
    corners = Tensor([[0, 0], [0, 1], [1, 0], [1, 1]])
    check_close(lambda: XorNetwork(ReLU()).forward(corners).data, [[0], [1], [1], [0]])
    pixels, labels = load_digits()
    known, unknown, names = pixels[:1400], pixels[1400:], labels[1400:]
    shares = vote(unknown, known, labels[:1400], sharpness=3)
    check_close(lambda: shares.sum(axis=1), np.ones(397))
    check_equal(lambda: float(np.mean(shares.argmax(axis=1) == names)) > 0.95, True)
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(6)
    w1, w2 = (
        rng.normal(size=(64, 12)).astype(np.float32),
        rng.normal(size=(12, 10)).astype(np.float32),
    )
    x = Tensor(pixels[:30])
    z = pixels[:30].astype(np.float64) @ w1
    expected = 0.5 * z * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3))) @ w2
    # (30, 64) -> (30, 12) -> (30, 10)
    check_close(lambda: (GELU()(x @ Tensor(w1)) @ Tensor(w2)).data, expected, atol=1e-3)
    scores = expected.astype(np.float32)
    e = np.exp(scores.astype(np.float64))
    check_close(lambda: Softmax()(Tensor(scores)).data, e / e.sum(axis=1, keepdims=True))
    check_close(lambda: Softmax(axis=0)(Tensor(scores)).data, e / e.sum(axis=0))
    check_close(
        lambda: Sigmoid()(Tensor(scores)).data, 1 / (1 + np.exp(-scores.astype(np.float64)))
    )
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_module()

# %% [markdown]
r"""
**Question.** Short rows of 10 classes made your softmax several times slower than rows of 1,024, for the same number of exponentials, and laying the classes along axis 0 made
it fast again. What does the machine do in each of the three cases? Which lines of your `softmax` are concerned?
"""

# %% [markdown] nbgrader={"grade": true, "grade_id": "q-short-rows", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
r"""
The two reductions, `max` and `sum`; the subtraction, `exp` and the division run over all elements, though a row of 10 also gives broadcasting only 10 steps at a time.
With rows of 1,024 one call of the inner loop covers 1,024 neighbours, eight in one instruction, and its fixed cost is spread over them. With rows of
10 the inner loop is set up 104,857 times for 10 numbers each: the set-up is the larger part, and 10 numbers hardly fill a vector register. With the classes along
axis 0 the reduction takes the maximum of whole rows of 104,857 neighbours, ten times: long loops again, and every lane of the register is busy.
"""

# %% [markdown]
r"""
**To think about.** A ReLU unit whose input is negative for every example outputs 0 for ever. Why can training not wake it up, and which of the other
activations would?

You have the bends; what is missing is something to bend, with weights of the right size. **Module 03** builds the linear layer, and the object that
finds every weight in a model.
"""
