"""FLOPs against PyTorch's own counter, which counts matrix products and convolutions and nothing else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinytorch import nn
from tinytorch.core.tensor import Tensor
from tinytorch.models import GPT
from tinytorch.profiling.profiler import Profiler

torch = pytest.importorskip("torch")
from torch.nn.attention import SDPBackend, sdpa_kernel  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

SIZES = st.integers(1, 5)


def theirs(function):
    """What PyTorch counts while a function runs; its fused attention it does not see."""
    with FlopCounterMode(display=False) as counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        function()
    return counter.get_total_flops()


def ours(layer, *shapes):
    return Profiler().count_flops(layer, *(Tensor(np.zeros(shape)) for shape in shapes))


@given(SIZES, SIZES, SIZES, st.booleans())
@settings(max_examples=20, deadline=None)
def test_linear(rows, inputs, outputs, bias):
    twin = torch.nn.Linear(inputs, outputs, bias=bias)
    wanted = theirs(lambda: twin(torch.zeros(rows, inputs)))
    assert ours(nn.Linear(inputs, outputs, bias=bias), (rows, inputs)) == wanted


@given(SIZES, SIZES, SIZES, st.integers(1, 3), st.integers(1, 2), st.integers(0, 2), st.integers(1, 2))
@settings(max_examples=30, deadline=None)
def test_convolution(images, channels, out, kernel, stride, padding, groups):
    sizes = (groups * channels, groups * out, kernel)
    options = {"stride": stride, "padding": padding, "groups": groups}
    shape = (images, groups * channels, 5, 4)
    twin = torch.nn.Conv2d(*sizes, **options)
    assert ours(nn.Conv2d(*sizes, **options), shape) == theirs(lambda: twin(torch.zeros(shape)))


@pytest.mark.parametrize("causal", [False, True])
def test_products_of_attention(causal):
    """Masked positions are counted by both."""
    B, T, C, H = 2, 6, 8, 2
    q = torch.zeros(B, H, T, C // H)
    core = theirs(lambda: torch.nn.functional.scaled_dot_product_attention(q, q, q, is_causal=causal))
    projections = theirs(lambda: torch.nn.Linear(C, 4 * C)(torch.zeros(B, T, C)))
    assert ours(nn.MultiHeadAttention(C, H), (B, T, C)) == core + projections + 6 * B * H * T * T


def test_gpt_less_what_is_no_product():
    benchmark = pytest.importorskip("benchmarks.gpt")
    V, T, C, L, H = (getattr(benchmark, name) for name in "VTCLH")
    ids, tokens = np.zeros((2, T), int), 2 * T
    model = GPT(V, T, C, L, H)
    wanted = theirs(lambda: benchmark.twin(torch, L)(torch.tensor(ids)))
    others = L * (6 * H * T + 36 * C + 2 * C + 14 * C) + 7 * C + C  # softmax, GELU, residuals, norms, positions
    assert Profiler().count_flops(model, ids) == wanted + tokens * others


def test_cnn_less_what_is_no_product():
    class Net(nn.Module):
        def __init__(self):
            self.conv1, self.conv2 = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 16, 3, stride=2)
            self.out = nn.Linear(16 * 7 * 7, 10)

        def forward(self, x):
            return self.out(self.conv2(self.conv1(x)).flatten(1))

    twin = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.Conv2d(8, 16, 3, stride=2), torch.nn.Flatten(),
        torch.nn.Linear(16 * 7 * 7, 10),
    )  # fmt: skip
    assert ours(Net(), (4, 3, 16, 16)) == theirs(lambda: twin(torch.zeros(4, 3, 16, 16)))
