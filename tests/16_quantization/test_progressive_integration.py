"""Module 16 and the stack below it: values against NumPy."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinytorch.optimization.quantization import centred
from tinytorch.core.tensor import Tensor

TABLES = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.floats(-100, 100, width=32)
)


class TestPriorStackStillWorking:
    def test_means_of_rows(self):
        np.testing.assert_array_equal(Tensor([[1, 2], [3, 5]]).mean(axis=1).data, [1.5, 4])


class TestModuleCore:
    @given(TABLES)
    def test_centred_against_numpy(self, x):
        wanted = x.astype(np.float64) - x.astype(np.float64).mean(axis=1, keepdims=True)
        np.testing.assert_allclose(centred(Tensor(x)).data, wanted, atol=1e-3)


class TestProgressiveStack:
    def test_centred_rows_add_up_to_zero(self):
        rows = centred(Tensor([[1, 2, 6], [0, 0, 3]]))
        np.testing.assert_array_equal(rows.sum(axis=1).data, [0, 0])
