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

Two sentences of why: what could the reader not do without this module, and what will they be able to do after it?

**Needs** `Tensor` (01) | **Exports** `tinytorch.optimization.quantization` | **About** 3 hours | **Points** 20
"""

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| default_exp optimization.quantization
#| export
from tinytorch.core.tensor import Tensor

# %% nbgrader={"grade": false, "grade_id": "page-imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
from functools import partial  # this page only: tests, plots and measurements are not exported

import numpy as np

from tito.lab import check_close, compare

# %% [markdown]
r"""
## Rows around zero

An idea in at most 20 lines, with one example by hand. Here: a row is centred when its mean is taken from each of its numbers.

```
row   1  2  6     mean 3     centred  -2 -1  3
```

What is the mean of a centred row? Guess before you run the test.
"""


# %% nbgrader={"grade": false, "grade_id": "centred", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def centred(x: Tensor) -> Tensor:
    """Each row minus its own mean.

    Args:
        x: Tensor of shape (rows, columns).

    Returns:
        Tensor of the same shape; each row has the mean 0.

    TODO: subtract from each row its mean.
    APPROACH: 1. one mean for each row  2. subtract, with the help of broadcasting
    EXAMPLE:
        >>> centred(Tensor([[1, 2, 6]])).data
        array([[-2., -1.,  3.]], dtype=float32)

    HINT: `keepdims=True` keeps the axis over which a mean is taken.
    """
    ### BEGIN SOLUTION
    means = x.mean(axis=1, keepdims=True)  # (rows, 1)
    return x - means  # (rows, columns)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-centred", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_centred():
    """The example of the text."""
    check_close(lambda: centred(Tensor([[1, 2, 6]])).data, [[-2, -1, 3]])
    ### BEGIN HIDDEN TESTS
    x = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)
    wanted = x - x.mean(axis=1, keepdims=True)
    check_close(lambda: centred(Tensor(x)).data, wanted, atol=1e-5)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_centred()

# %% [markdown]
r"""
## Measure

Ask for a number before a cell prints it. Here: how much longer does a row ten times as long take?
"""


# %%
def analyze_rows():
    """Time of centring one row, by its length."""
    times = compare({n: partial(centred, Tensor(np.ones((1, n)))) for n in (10_000, 100_000)})
    ratio = times[100_000].low_ms / times[10_000].low_ms
    print(f"ten times as long takes {ratio:.1f} times the time")


if __name__ == "__main__":
    analyze_rows()

# %% nbgrader={"grade": true, "grade_id": "test-module-quantization", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_module():
    """The parts together: what is centred once is centred."""
    rows = Tensor([[1, 2, 6], [0, 0, 3]])
    check_close(lambda: centred(centred(rows)).data, [[-2, -1, 3], [-1, -1, 2]])
    ### BEGIN HIDDEN TESTS
    check_close(lambda: centred(rows).data.sum(axis=1), [0, 0], atol=1e-5)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_module()

# %% [markdown]
r"""
**Question.** A question that a person grades: it asks for a reason, and a machine could not check the answer.
"""

# %% [markdown] nbgrader={"grade": true, "grade_id": "q-quantization", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
r"""
The model answer to module 16's question, in the two or three sentences that a good student would write.
"""

# %% [markdown]
r"""
What the reader has now, what is missing, and the name of the next module.
"""
