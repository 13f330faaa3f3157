"""A student can find out by learning which filter was applied to a picture, and use it on pictures of any size."""

import numpy as np

from tinytorch import Tensor, manual_seed, nn, optim

SOBEL = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], np.float32)  # answers to edges from left to right


def filtered(pictures):
    """Every window of 3 x 3 against SOBEL, by loops over its places: (N, 1, H, W) -> (N, 1, H - 2, W - 2)."""
    H, W = pictures.shape[2] - 2, pictures.shape[3] - 2
    return sum(SOBEL[i, j] * pictures[:, :, i : i + H, j : j + W] for i in range(3) for j in range(3))


def test_a_convolution_learns_the_filter_and_its_use_elsewhere():
    manual_seed(0)
    rng = np.random.default_rng(0)
    pictures = rng.normal(size=(8, 1, 12, 12)).astype(np.float32)
    layer = nn.Conv2d(1, 1, 3, bias=False)
    optimizer = optim.Adam(layer.parameters(), lr=0.1)
    for _ in range(150):
        optimizer.zero_grad()
        nn.functional.mse_loss(layer(Tensor(pictures)), Tensor(filtered(pictures))).backward()
        optimizer.step()
    np.testing.assert_allclose(layer.weight.data[0, 0], SOBEL, atol=0.01)
    large = rng.normal(size=(1, 1, 30, 50)).astype(np.float32)
    np.testing.assert_allclose(layer(Tensor(large)).data, filtered(large), atol=0.1)
