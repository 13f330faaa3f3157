"""Forward and backward against PyTorch, over shapes, strides, paddings, gaps and groups that hypothesis chooses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinytorch.core import spatial as S
from tinytorch.core.tensor import Tensor

torch = pytest.importorskip("torch")
F = torch.nn.functional

SIZES = st.tuples(st.integers(1, 3), st.integers(3, 9), st.integers(3, 9))  # N, H, W
PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3))
SEEDS = st.integers(0, 2**32 - 1)


def compare(ours, theirs, arrays, seed):
    """Run both on the same arrays, send the same gradient back, compare everything to 1e-5 of the largest number."""
    tensors = [Tensor(a, requires_grad=True) for a in arrays]
    oracles = [torch.tensor(a, requires_grad=True) for a in arrays]
    y, expected = ours(*tensors), theirs(*oracles)
    assert y.shape == tuple(expected.shape)
    assert y.data.dtype == np.float32
    g = np.random.default_rng(seed).normal(size=y.shape).astype(np.float32)
    y.backward(g)
    expected.backward(torch.tensor(g))
    pairs = [
        (y.data, expected.detach().numpy()),
        *((t.grad, o.grad.numpy()) for t, o in zip(tensors, oracles, strict=True)),
    ]
    for got, wanted in pairs:
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5 * max(1.0, float(np.abs(wanted).max(initial=0))))


def normal(seed, *shapes):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


def fits(height, width, kernel, padding, dilation):
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    return height + 2 * padding[0] >= reach[0] and width + 2 * padding[1] >= reach[1]


@settings(max_examples=200, deadline=None)
@given(
    SIZES,
    PAIRS,
    PAIRS,
    st.tuples(st.integers(0, 3), st.integers(0, 3)),
    PAIRS,
    st.integers(1, 3),
    PAIRS,
    st.booleans(),
    SEEDS,
)
def test_conv2d(sizes, kernel, stride, padding, dilation, groups, per_group, with_bias, seed):
    (n, h, w), (c, o) = sizes, (groups * size for size in per_group)
    if not fits(h, w, kernel, padding, dilation):
        return
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    arrays = normal(seed, (n, c, h, w), (o, c // groups, *kernel), (o,))[: 3 if with_bias else 2]
    compare(lambda *t: S.conv2d(*t, **options), lambda *t: F.conv2d(*t, **options), arrays, seed)


@pytest.mark.parametrize("block", [1, 5000, 1 << 22])
def test_conv2d_in_blocks_of_any_size(block, monkeypatch):
    monkeypatch.setattr(S, "BLOCK", block)
    for o in (4, 9):
        arrays = normal(0, (7, 6, 12, 11), (o, 6, 3, 3), (o,))
        compare(lambda *t: S.conv2d(*t, padding=1), lambda *t: F.conv2d(*t, padding=1), arrays, 0)


@settings(max_examples=120, deadline=None)
@given(SIZES, PAIRS, PAIRS, st.tuples(st.integers(0, 1), st.integers(0, 1)), PAIRS, st.booleans(), SEEDS)
def test_max_pool2d(sizes, kernel, stride, padding, dilation, ties, seed):
    n, h, w = sizes
    padding = tuple(min(p, k // 2) for p, k in zip(padding, kernel, strict=True))
    if not fits(h, w, kernel, padding, dilation):
        return
    (x,) = normal(seed, (n, 3, h, w))
    x = np.round(x) if ties else x
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    compare(lambda t: S.max_pool2d(t, kernel, **options), lambda t: F.max_pool2d(t, kernel, **options), [x], seed)


@settings(max_examples=80, deadline=None)
@given(SIZES, PAIRS, st.none() | PAIRS, st.tuples(st.integers(0, 1), st.integers(0, 1)), SEEDS)
def test_avg_pool2d(sizes, kernel, stride, padding, seed):
    n, h, w = sizes
    padding = tuple(min(p, k // 2) for p, k in zip(padding, kernel, strict=True))
    options = {"stride": stride, "padding": padding}
    compare(
        lambda t: S.avg_pool2d(t, kernel, **options),
        lambda t: F.avg_pool2d(t, kernel, **options),
        normal(seed, (n, 2, h, w)),
        seed,
    )


@settings(max_examples=60, deadline=None)
@given(SIZES, st.integers(1, 5) | st.tuples(st.integers(1, 5), st.integers(1, 5)), SEEDS)
def test_adaptive_avg_pool2d(sizes, size, seed):
    n, h, w = sizes
    compare(
        lambda t: S.adaptive_avg_pool2d(t, size),
        lambda t: F.adaptive_avg_pool2d(t, size),
        normal(seed, (n, 2, h, w)),
        seed,
    )


@settings(max_examples=60, deadline=None)
@given(SIZES, st.booleans(), st.booleans(), st.floats(0, 1), st.sampled_from([1e-5, 1e-3, 0.5]), SEEDS)
def test_batch_norm(sizes, training, affine, momentum, eps, seed):
    n, h, w = sizes
    x, weight, bias = normal(seed, (n, 3, h, w), (3,), (3,))
    arrays = [x * 2 + 1, weight, bias] if affine else [x * 2 + 1]
    ours = [np.float32([0.5, -1, 0]), np.float32([1, 0.3, 2])]
    theirs = [torch.tensor(a) for a in ours]
    compare(
        lambda x, *wb: S.batch_norm(x, *ours, *(wb or (None, None)), training, momentum, eps),
        lambda x, *wb: F.batch_norm(x, *theirs, *(wb or (None, None)), training, momentum, eps),
        arrays,
        seed,
    )
    for got, wanted in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(got, wanted.numpy(), rtol=1e-5, atol=1e-6)


def test_batch_norm2d_over_several_steps():
    ours, theirs = S.BatchNorm2d(4), torch.nn.BatchNorm2d(4)
    for seed in range(5):
        (x,) = normal(seed, (6, 4, 3, 5))
        x = x * (seed + 1) + seed
        np.testing.assert_allclose(ours(Tensor(x)).data, theirs(torch.tensor(x)).detach().numpy(), rtol=1e-4, atol=1e-5)
    for name in ("running_mean", "running_var"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name).numpy(), rtol=1e-5)
    ours.eval(), theirs.eval()
    np.testing.assert_allclose(ours(Tensor(x)).data, theirs(torch.tensor(x)).detach().numpy(), rtol=1e-5, atol=1e-5)
