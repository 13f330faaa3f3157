"""Module 14 and the stack below it: FLOPs by hand, every layer seen, the model as it was."""

import numpy as np

from tinytorch.core.layers import Linear
from tinytorch.core.tensor import Tensor
from tinytorch.profiling import Profiler


class TestModuleCore:
    def test_a_linear_layer(self):
        assert Profiler().count_flops(Linear(3, 5), Tensor(np.zeros((2, 3)))) == 60
