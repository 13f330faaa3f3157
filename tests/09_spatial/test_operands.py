"""Images that are a plain array belong to the graph as a copy."""

import numpy as np

from tinytorch.core.spatial import conv2d
from tinytorch.core.tensor import Tensor


def test_images_given_as_an_array_may_change_before_backward():
    images, kernel = np.ones((1, 1, 2, 2), np.float32), Tensor(np.ones((1, 1, 2, 2)), requires_grad=True)
    loss = conv2d(images, kernel).sum()
    images[:] = 100
    loss.backward()
    np.testing.assert_array_equal(kernel.grad, np.ones((1, 1, 2, 2)))
