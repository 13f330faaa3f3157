"""Grids, rounding, layers and their gradients against PyTorch's quantized tensors and fake quantization."""

import copy

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinytorch.core.layers import Linear
from tinytorch.core.spatial import Conv2d
from tinytorch.core.tensor import Tensor, manual_seed
from tinytorch.optimization import quantization as Q

torch = pytest.importorskip("torch")
F = torch.nn.functional
pytestmark = [  # PyTorch moves its quantization to another package
    pytest.mark.filterwarnings("ignore:torch.ao.quantization is deprecated"),
    pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor"),
]

NUMBERS = st.floats(-1000, 1000, width=32).filter(lambda x: x == 0 or abs(x) > 1e-6)
ARRAYS = hnp.arrays(np.float32, hnp.array_shapes(min_dims=1, max_dims=4, max_side=5), elements=NUMBERS)
SEEDS = st.integers(0, 2**32 - 1)


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@settings(max_examples=80, deadline=None)
@given(ARRAYS, st.floats(1e-3, 10.0), st.integers(-128, 127))
def test_whole_numbers_of_one_grid(x, scale, zero):
    theirs = torch.quantize_per_tensor(torch.tensor(x), float(np.float32(scale)), zero, torch.qint8)
    ours = Q.on_grid(x, np.float32(scale), zero).astype(np.int8)
    # PyTorch multiplies by 1 / scale, which may round another way in the middle between two steps
    assert np.abs(ours.astype(int) - theirs.int_repr().numpy()).max(initial=0) <= 1
    middle = np.abs(np.abs(x / np.float32(scale)) % 1 - 0.5) < 1e-3
    np.testing.assert_array_equal(ours[~middle], theirs.int_repr().numpy()[~middle])
    back = Q.dequantize_int8(theirs.int_repr().numpy(), np.float32(scale), zero)
    np.testing.assert_allclose(back, theirs.dequantize().numpy(), rtol=1e-6, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(ARRAYS, st.data())
def test_a_grid_for_each_entry_of_an_axis(x, data):
    axis = data.draw(st.integers(0, x.ndim - 1))
    values, scale, zero = Q.quantize_int8(x, axis)
    theirs = torch.quantize_per_channel(
        torch.tensor(x), torch.tensor(scale.ravel()), torch.tensor(zero.ravel().astype(np.int64)), axis, torch.qint8
    )
    assert np.abs(values.astype(int) - theirs.int_repr().numpy()).max() <= 1
    back = Q.dequantize_int8(values, scale, zero)
    np.testing.assert_array_less(np.abs(back - theirs.dequantize().numpy()), np.broadcast_to(1.01 * scale, x.shape))


@settings(max_examples=80, deadline=None)
@given(ARRAYS)
def test_scale_and_zero_point_of_an_observer(x):
    assume(x.max() - x.min() > 1e-3)
    observer = torch.ao.quantization.MinMaxObserver(dtype=torch.qint8, qscheme=torch.per_tensor_affine)
    observer(torch.tensor(x))
    scale, zero = observer.calculate_qparams()
    ours, our_zero = Q.scale_and_zero_point(*Q.value_range(x))
    np.testing.assert_allclose(ours, scale.item(), rtol=1e-5)
    assert abs(int(our_zero) - zero.item()) <= 1


def faked(x, grid):
    """PyTorch's rounding with straight-through gradients, on our grid."""
    scale, zero, bits = grid
    top = 2 ** (bits - 1) - 1
    return torch.fake_quantize_per_tensor_affine(x, float(scale), int(zero), -top - 1, top)


def weights_of(small):
    numbers = small.weight.values.astype(np.float32).reshape(len(small.weight.scale), -1) * small.weight.scale
    return torch.tensor(numbers.reshape(small.weight.shape))


def assert_same(ours, theirs, x, their_x, small, bias, g):
    """Values and gradients agree, but for numbers in the middle between two steps."""
    atol = 1e-4 * float(theirs.abs().max().detach()) + 1e-5
    np.testing.assert_allclose(ours.data, theirs.detach().numpy(), rtol=0, atol=atol)
    ours.backward(g)
    theirs.backward(torch.tensor(g))
    wanted = their_x.grad.numpy()
    np.testing.assert_allclose(x.grad, wanted, rtol=0, atol=1e-4 * np.abs(wanted).max() + 1e-5)
    np.testing.assert_allclose(small.bias.grad, bias.grad.numpy(), rtol=1e-4, atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.integers(1, 40), st.integers(1, 12), st.sampled_from([4, 6, 8]), st.booleans(), SEEDS)
def test_linear_and_its_gradients(rows, inputs, outputs, bits, calibrated, seed):
    manual_seed(seed)
    small = Q.QuantizedLinear(Linear(inputs, outputs), bits)
    if calibrated:
        small.input_range[...] = -0.7, 1.3  # some of the inputs saturate
    numbers = normal(seed, rows, inputs)
    grid = small.grid(numbers)
    assume((np.abs(np.abs(numbers / grid[0]) % 1 - 0.5) > 1e-3).all())
    x, their_x = Tensor(numbers, requires_grad=True), torch.tensor(numbers, requires_grad=True)
    bias = torch.tensor(small.bias.data.copy(), requires_grad=True)
    theirs = F.linear(faked(their_x, grid), weights_of(small), bias)
    assert_same(small(x), theirs, x, their_x, small, bias, normal(seed + 1, rows, outputs))


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 3), st.sampled_from([(2, 4, 1), (4, 4, 2), (3, 6, 3)]), st.sampled_from([(1, 0), (2, 1), (1, 2)]),
    st.integers(1, 3), st.booleans(), SEEDS,
)  # fmt: skip
def test_convolution_and_its_gradients(N, channels, walk, kernel, calibrated, seed):
    inputs, outputs, groups = channels
    stride, padding = walk
    manual_seed(seed)
    small = Q.QuantizedConv2d(Conv2d(inputs, outputs, kernel, stride, padding, groups=groups))
    if calibrated:
        small.input_range[...] = -0.7, 1.3
    numbers = normal(seed, N, inputs, 6, 5)
    grid = small.grid(numbers)
    assume((np.abs(np.abs(numbers / grid[0]) % 1 - 0.5) > 1e-3).all())
    x, their_x = Tensor(numbers, requires_grad=True), torch.tensor(numbers, requires_grad=True)
    bias = torch.tensor(small.bias.data.copy(), requires_grad=True)
    theirs = F.conv2d(faked(their_x, grid), weights_of(small), bias, stride, padding, groups=groups)
    assert_same(small(x), theirs, x, their_x, small, bias, normal(seed + 1, *theirs.shape))


def test_as_near_to_float32_as_pytorch_s_own_quantized_layer():
    """torch.ao quantizes the same Linear dynamically, one grid for the weight: ours is at least as near."""
    manual_seed(0)
    layer, x = Linear(256, 64), normal(0, 50, 256)
    theirs = torch.nn.Sequential(torch.nn.Linear(256, 64))
    theirs[0].load_state_dict({name: torch.tensor(array) for name, array in layer.state_dict().items()})
    wanted = layer(Tensor(x)).data
    if (
        "fbgemm" not in torch.backends.quantized.supported_engines
        and "x86" not in torch.backends.quantized.supported_engines
    ):
        pytest.skip("this PyTorch has no engine for int8 on this processor")
    dynamic = torch.ao.quantization.quantize_dynamic(copy.deepcopy(theirs), {torch.nn.Linear}, dtype=torch.qint8)
    their_error = np.abs(dynamic(torch.tensor(x)).detach().numpy() - wanted).mean()
    our_error = np.abs(Q.QuantizedLinear(layer)(Tensor(x)).data - wanted).mean()
    assert our_error < 1.1 * their_error
