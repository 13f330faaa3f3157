"""Properties of every grid and of the product, whatever the numbers."""

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinytorch.core.layers import Linear, linear
from tinytorch.core.tensor import Tensor, manual_seed
from tinytorch.optimization import quantization as Q

SHAPES = hnp.array_shapes(min_dims=1, max_dims=4, max_side=6)
NUMBERS = st.floats(-(2.0**100), 2.0**100, width=32, allow_subnormal=False)
ARRAYS = hnp.arrays(np.float32, SHAPES, elements=NUMBERS)
BITS = st.integers(2, 8)


def some_axis(data, x):
    return data.draw(st.none() | st.integers(-x.ndim, x.ndim - 1))


@settings(max_examples=80, deadline=None)
@given(ARRAYS, BITS, st.booleans(), st.data())
def test_no_number_moves_further_than_the_rounding_can(x, bits, symmetric, data):
    """Half a step; with a rounded zero point the ends of the range move by up to half a step more."""
    values, scale, zero = Q.quantize_int8(x, some_axis(data, x), symmetric, bits)
    moved = np.abs(Q.dequantize_int8(values, scale, zero).astype(np.float64) - x)
    steps = moved / scale.astype(np.float64)
    assert steps.max() <= (0.5001 if symmetric else 1.0001)
    assert np.quantile(steps, 0.5) <= 0.5001


@settings(max_examples=80, deadline=None)
@given(ARRAYS, BITS, st.booleans(), st.data())
def test_the_second_time_nothing_moves(x, bits, symmetric, data):
    axis = some_axis(data, x)
    values, scale, zero = Q.quantize_int8(x, axis, symmetric, bits)
    once = Q.dequantize_int8(values, scale, zero)
    np.testing.assert_array_equal(Q.on_grid(once, scale, zero, bits), values)


@settings(max_examples=80, deadline=None)
@given(ARRAYS, BITS, st.booleans(), st.data())
def test_types_shapes_and_ends(x, bits, symmetric, data):
    axis = some_axis(data, x)
    values, scale, zero = Q.quantize_int8(x, axis, symmetric, bits)
    assert (values.dtype, scale.dtype, zero.dtype) == (np.int8, np.float32, np.int16)
    assert values.shape == x.shape
    assert np.isfinite(scale).all()
    assert (scale > 0).all()
    top = 2 ** (bits - 1) - 1
    assert values.min() >= (-top if symmetric else -top - 1)
    assert values.max() <= top
    assert scale.shape == (() if axis is None else tuple(n if i == axis % x.ndim else 1 for i, n in enumerate(x.shape)))
    zeros = Q.on_grid(np.zeros_like(x), scale, zero, bits)
    np.testing.assert_array_equal(Q.dequantize_int8(zeros, scale, zero), np.zeros_like(x))  # 0 stays 0


@settings(max_examples=60, deadline=None)
@given(ARRAYS, st.sampled_from([0.25, 2.0, 1024.0]), st.booleans())
def test_the_grid_stretches_with_the_numbers(x, factor, symmetric):
    largest = np.abs(x).max()
    assume(largest == 0 or largest >= 2.0**-100)  # below, scales are subnormal, and doubling rounds them otherwise
    values, scale, zero = Q.quantize_int8(x, symmetric=symmetric)
    again, stretched, same = Q.quantize_int8(x * np.float32(factor), symmetric=symmetric)
    np.testing.assert_array_equal(values, again)
    assert zero == same
    if np.any(x):
        assert stretched == scale * np.float32(factor)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 20), st.integers(0, 30), st.integers(0, 9), st.integers(0, 2**32 - 1), st.booleans())
def test_the_product_is_exact_and_so_is_that_of_the_turned_weight(out, K, N, seed, turned):
    rng = np.random.default_rng(seed)
    values = rng.integers(-128, 128, size=(out, K)).astype(np.int8)
    values = np.asfortranarray(values) if turned else values
    columns = rng.integers(-255, 256, size=(K, N)).astype(np.float32)
    exact = values.astype(np.int64) @ columns.astype(np.int64)
    np.testing.assert_array_equal(Q.int8_matmul(values, columns), exact)
    back = rng.integers(-255, 256, size=(out, N)).astype(np.float32)
    np.testing.assert_array_equal(Q.int8_matmul(values.T, back), values.T.astype(np.int64) @ back.astype(np.int64))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.lists(st.integers(0, 4), max_size=3), st.integers(0, 2**32 - 1))
def test_linear_takes_the_weight_as_if_it_were_an_array(out, K, leading, seed):
    rng = np.random.default_rng(seed)
    weight = Q.Int8Weight(rng.normal(size=(out, K)))
    rounded = Tensor(Q.dequantize_int8(weight.values, weight.scale))
    numbers, g = rng.normal(size=(*leading, K)).astype(np.float32), rng.normal(size=(*leading, out)).astype(np.float32)
    results = []
    for w in (weight, rounded):
        x = Tensor(numbers, requires_grad=True)
        y = linear(x, w)
        y.backward(g)
        results.append((y.data, x.grad))
    for ours, wanted in zip(*results, strict=True):
        assert ours.shape == wanted.shape
        np.testing.assert_allclose(ours, wanted, rtol=1e-4, atol=1e-4)
    part = slice(out // 2, None)
    some = linear(Tensor(numbers), weight[part]).data
    np.testing.assert_allclose(some, linear(Tensor(numbers), weight).data[..., part], rtol=1e-4, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 8), st.integers(1, 40), st.integers(1, 10), st.integers(0, 2**32 - 1))
def test_a_layer_is_what_its_parts_say(bits, K, out, seed):
    """The rounded inputs times the rounded weight, by plain arithmetic in float64."""
    manual_seed(seed)
    layer = Linear(K, out)
    small = Q.QuantizedLinear(layer, bits)
    x = np.random.default_rng(seed).normal(size=(3, K)).astype(np.float32)
    scale, zero, _ = small.grid(x)
    rounded = (Q.on_grid(x, scale, zero, bits).astype(np.float64) - zero) * scale
    weight = small.weight.values.astype(np.float64) * small.weight.scale
    np.testing.assert_allclose(small(Tensor(x)).data, rounded @ weight.T + layer.bias.data, rtol=1e-4, atol=1e-4)
    assert zero == 0
