"""Forward and backward against PyTorch, over shapes, masks and blocks that hypothesis chooses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinytorch.core import attention as A
from tinytorch.core.tensor import Tensor

torch = pytest.importorskip("torch")
F = torch.nn.functional

SEEDS = st.integers(0, 2**32 - 1)
LEADS = st.sampled_from([(), (1,), (3,), (2, 3)])
LENGTHS = st.integers(1, 9)


def normal(rng, *shape):
    return rng.normal(size=shape).astype(np.float32)


def close(got, wanted, tolerance=1e-5, size=1.0):
    """Within `tolerance` of the largest number, or of `size`: that of the factors whose products are added up."""
    wanted = wanted.detach().numpy() if hasattr(wanted, "detach") else wanted
    largest = float(np.abs(wanted).max(initial=size))
    np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance * largest)


def compare(ours, theirs, arrays, rng, tolerance=1e-5):
    """Run both on the same arrays, send the same gradient back, compare everything."""
    tensors = [Tensor(a, requires_grad=True) for a in arrays]
    oracles = [torch.tensor(a, requires_grad=True) for a in arrays]
    y, expected = ours(*tensors), theirs(*oracles)
    assert y.shape == tuple(expected.shape)
    assert y.data.dtype == np.float32
    g = normal(rng, *y.shape)
    y.backward(g)
    expected.backward(torch.tensor(g))
    close(y.data, expected, tolerance)
    size = max(1.0, *(float(np.abs(a).max(initial=0)) for a in arrays))
    for t, o in zip(tensors, oracles, strict=True):
        close(t.grad, o.grad, tolerance, size)


def some_mask(rng, kind, T, S):
    """A mask of a kind as ours and theirs take it; every row of it sees something."""
    if kind == "none":
        return None, None
    if kind == "boolean":
        allowed = rng.random((T, S)) < 0.6
        allowed[:, rng.integers(S)] = True
        return allowed, torch.tensor(allowed)
    bias = normal(rng, T, S) * 3
    if kind == "with minus infinity":
        bias[:, 1:][rng.random((T, S - 1)) < 0.3] = -np.inf
    return bias, torch.tensor(bias)


KINDS = st.sampled_from(["none", "boolean", "additive", "with minus infinity"])


@settings(max_examples=150, deadline=None)
@given(LEADS, LENGTHS, LENGTHS, LENGTHS, LENGTHS, KINDS, st.sampled_from([1, 12, 60]), SEEDS)
def test_scaled_dot_product_attention(lead, T, S, d, e, kind, loud, seed):
    """Loud scores need their maximum subtracted, quiet ones do not."""
    rng = np.random.default_rng(seed)
    arrays = [loud * normal(rng, *lead, T, d), normal(rng, *lead, S, d), normal(rng, *lead, S, e)]
    ours, theirs = some_mask(rng, kind, T, S)
    compare(
        lambda *x: A.scaled_dot_product_attention(*x, attn_mask=ours),
        lambda *x: F.scaled_dot_product_attention(*x, attn_mask=theirs),
        arrays,
        rng,
    )


@settings(max_examples=60, deadline=None)
@given(LEADS, st.integers(1, 150), st.integers(1, 150), st.booleans(), SEEDS)
def test_causal_attention_in_several_blocks(lead, T, S, composed, seed):
    rng = np.random.default_rng(seed)
    arrays = [normal(rng, *lead, n, 8) for n in (T, S, S)]

    def ours(*x):
        out = A.scaled_dot_product_attention(*x, is_causal=True, need_weights=composed)
        return out[0] if composed else out

    compare(ours, lambda *x: F.scaled_dot_product_attention(*x, is_causal=True), arrays, rng)


@settings(max_examples=60, deadline=None)
@given(LEADS, st.integers(1, 40), st.integers(1, 40), st.integers(1, 50), st.booleans(), SEEDS)
def test_chunked_attention(lead, T, S, chunk, causal, seed):
    rng = np.random.default_rng(seed)
    arrays = [5 * normal(rng, *lead, n, 8) for n in (T, S, S)]
    compare(
        lambda *x: A.chunked_attention(*x, is_causal=causal, chunk=chunk),
        lambda *x: F.scaled_dot_product_attention(*x, is_causal=causal),
        arrays,
        rng,
        tolerance=1e-4,  # scores reach 100, of which float32 keeps 1e-5: next to float64 each of the two is off by 2e-5
    )


def twins(width, heads, bias, seed):
    """Our layer and PyTorch's with the same weights, biases that are not zero included."""
    ours = A.MultiHeadAttention(width, heads, bias=bias)
    theirs = torch.nn.MultiheadAttention(width, heads, bias=bias, batch_first=True)
    rng = np.random.default_rng(seed)
    state = {name: normal(rng, *array.shape) / np.sqrt(width) for name, array in ours.state_dict().items()}
    ours.load_state_dict(state)
    theirs.load_state_dict({name: torch.tensor(array) for name, array in state.items()})
    return ours, theirs


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from([(4, 1), (4, 2), (6, 3), (8, 8)]), st.integers(1, 3), LENGTHS, LENGTHS, KINDS, st.booleans(),
    st.sampled_from(["itself", "cross", "three"]), st.booleans(), SEEDS,
)  # fmt: skip
def test_multi_head_attention(sizes, B, T, S, kind, bias, whom, weights, seed):
    """Values, weights and every gradient, with the boolean masks turned around for PyTorch's layer."""
    rng = np.random.default_rng(seed)
    ours, theirs = twins(*sizes, bias, seed)
    lengths = {"itself": [T], "cross": [T, S], "three": [T, S, S]}[whom]
    arrays = [normal(rng, B, n, sizes[0]) for n in lengths]
    mask, oracle = some_mask(rng, kind, T, lengths[-1])
    oracle = ~oracle if kind == "boolean" else oracle
    seen = []

    def run_ours(*x):
        out = ours(*x, attn_mask=mask, need_weights=weights)
        seen.append(out[1] if weights else None)
        return out[0] if weights else out

    def run_theirs(q, k=None, v=None):
        k = q if k is None else k
        out, w = theirs(q, k, k if v is None else v, attn_mask=oracle, average_attn_weights=False)
        seen.append(w)
        return out

    compare(run_ours, run_theirs, arrays, rng)
    if weights:
        close(seen[0], seen[1])
    wanted = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        close(parameter.grad, wanted[name].grad, tolerance=1e-4)


@pytest.mark.parametrize("T", [5, 64, 65, 200])
def test_causal_layer(T):
    ours, theirs = twins(32, 4, True, T)
    x = normal(np.random.default_rng(T), 2, T, 32)
    past = torch.nn.Transformer.generate_square_subsequent_mask(T)

    def run_theirs(t):
        return theirs(t, t, t, attn_mask=past, is_causal=True, need_weights=False)[0]

    compare(lambda t: ours(t, is_causal=True), run_theirs, [x], np.random.default_rng(0))


def test_a_row_that_sees_nothing():
    """PyTorch's function answers 0 as ours does; its softmax, and its layer asked for weights, nan."""
    allowed = np.array([[True, False], [False, False]])
    x = normal(np.random.default_rng(0), 1, 2, 4)
    compare(
        lambda t: A.scaled_dot_product_attention(t, t, t, attn_mask=allowed),
        lambda t: F.scaled_dot_product_attention(t, t, t, attn_mask=torch.tensor(allowed)),
        [x],
        np.random.default_rng(1),
    )
    scores = torch.full((2,), -np.inf)
    assert torch.softmax(scores, -1).isnan().all()
    ours, theirs = twins(4, 1, True, 0)
    t = torch.tensor(x)
    out, weights = theirs(t, t, t, attn_mask=~torch.tensor(allowed))
    assert out[0, 1].isnan().all()
    assert weights[0, 1].isnan().all()
    out, weights = ours(Tensor(x), attn_mask=allowed, need_weights=True)
    np.testing.assert_array_equal(weights[0, 0, 1], [0, 0])
    np.testing.assert_array_equal(out.data[0, 1], ours.out_proj.bias.data)


def test_the_first_weights_are_drawn_as_pytorchs():
    ours, theirs = A.MultiHeadAttention(64, 4), torch.nn.MultiheadAttention(64, 4)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for name, wanted in theirs.state_dict().items():
        got = ours.state_dict()[name]
        assert got.shape == tuple(wanted.shape)
        np.testing.assert_allclose(got.std(), wanted.std(), rtol=0.1)
        np.testing.assert_allclose(np.abs(got).max(), wanted.abs().max(), rtol=0.05)
