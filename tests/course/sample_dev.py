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

A small source that keeps every rule; the tests of the tools break one rule at a time. $\\alpha$ is a backslash.

**Needs** `Tensor` (01) | **Exports** `tinytorch.core.activations` | **About** 2 hours | **Points** 10
"""

# %%
#| default_exp core.activations
#| export
from __future__ import annotations

import numpy as np

from tinytorch.core.tensor import Tensor

# %%
import json  # this page only

# %% [markdown]
"""
## ReLU
"""

# %% nbgrader={"grade": false, "grade_id": "relu", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def relu(x: Tensor) -> Tensor:
    """Replace negative numbers by 0.

    TODO: compute relu.
    APPROACH: 1. compare with 0  2. keep the larger
    EXAMPLE:
        >>> relu(Tensor([-1.0, 2.0])).data
        array([0., 2.], dtype=float32)
    HINT: `np.maximum`
    """
    ### BEGIN SOLUTION
    return Tensor(np.maximum(x.data, 0))
    ### END SOLUTION


rectify = relu
_cache: dict[str, int] = {}

if __name__ == "__main__":
    relu(Tensor([1.0]))

# %% nbgrader={"grade": true, "grade_id": "test-relu", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_relu():
    """Negative numbers become 0."""
    np.testing.assert_array_equal(relu(Tensor([-1.0, 2.0])).data, [0, 2])
    ### BEGIN HIDDEN TESTS
    np.testing.assert_array_equal(relu(Tensor([-7.0, 0.0, 3.0])).data, [0, 0, 3])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_relu()

# %%
#| export
class ReLU:
    """relu as an object."""

    def __call__(self, x: Tensor) -> Tensor:
        """Apply relu."""
        return relu(x)

# %%
def test_module():
    """Both forms agree."""
    np.testing.assert_array_equal(ReLU()(Tensor([3.0])).data, relu(Tensor([3.0])).data)


if __name__ == "__main__":
    test_module()

# %% [markdown]
"""
**Question.** Where is the derivative of relu not defined?
"""

# %% [markdown] nbgrader={"grade": true, "grade_id": "q-kink", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
"""
At 0.
"""
