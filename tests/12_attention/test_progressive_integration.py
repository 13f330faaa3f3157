"""Module 12 on the student's stack: earlier modules still work, attention's values and errors, a layer that learns."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinytorch.core import attention as A
from tinytorch.core.activations import softmax
from tinytorch.core.autograd import gradient_check, no_grad
from tinytorch.core.layers import Linear, Module, dropout
from tinytorch.core.losses import cross_entropy
from tinytorch.core.optimizers import AdamW
from tinytorch.core.tensor import ShapeError, Tensor, manual_seed

SEEDS = st.integers(0, 2**32 - 1)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def three(*lead, T=4, S=5, d=6, e=3, seed=0, requires_grad=False):
    """Query, key and value."""
    shapes = ((*lead, T, d), (*lead, S, d), (*lead, S, e))
    return [Tensor(normal(*s, seed=seed + i), requires_grad) for i, s in enumerate(shapes)]


def formula(q, k, v, bias=0.0):
    """Attention in float64, with zeros where nothing may be seen."""
    q, k, v = (np.asarray(x, np.float64) for x in (q, k, v))
    scores = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]) + bias
    top = scores.max(axis=-1, keepdims=True, initial=-1e300)
    e = np.exp(scores - top)
    total = e.sum(axis=-1, keepdims=True)
    weights = np.divide(e, total, out=np.zeros_like(e), where=total > 0)
    return weights @ v, weights


class TestEarlierModules:
    def test_softmax_and_its_rule(self):
        x = Tensor(normal(3, 4), requires_grad=True)
        np.testing.assert_allclose(A.row_softmax(x).data, softmax(x).data, rtol=1e-6)
        gradient_check(lambda x: A.row_softmax(x), normal(3, 4))

    def test_dropout_of_nothing_is_the_same_tensor(self):
        x = Tensor(normal(3, 4))
        assert dropout(x, 0.0) is x

    def test_linear_reads_heads_in_any_order(self):
        x = Tensor(normal(2, 5, 8))
        heads = A.split_heads(x, 4)
        layer = Linear(2, 3)
        np.testing.assert_allclose(layer(heads).data, layer(Tensor(heads.data.copy())).data, rtol=1e-6)


class TestValues:
    @settings(max_examples=80, deadline=None)
    @given(st.integers(0, 70), st.integers(0, 70), st.sampled_from([(), (2,), (2, 3), (0,)]), st.booleans(), SEEDS)
    def test_every_way_follows_the_formula(self, T, S, lead, causal, seed):
        q, k, v = three(*lead, T=T, S=S, seed=seed % 1000)
        rng = np.random.default_rng(seed)
        allowed = rng.random((T, S)) < 0.5
        bias = np.where(allowed & (np.tri(T, S, dtype=bool) if causal else True), 0, -np.inf)
        expected, weights = formula(q.data, k.data, v.data, bias)
        got = A.scaled_dot_product_attention(q, k, v, attn_mask=allowed, is_causal=causal)
        np.testing.assert_allclose(got.data, expected, atol=1e-5)
        got, seen = A.scaled_dot_product_attention(q, k, v, allowed, is_causal=causal, need_weights=True)
        np.testing.assert_allclose(got.data, expected, atol=1e-5)
        np.testing.assert_allclose(seen, weights, atol=1e-5)
        bias = np.where(np.tri(T, S, dtype=bool), 0, -np.inf) if causal else 0.0
        got = A.chunked_attention(q, k, v, is_causal=causal, chunk=16)
        np.testing.assert_allclose(got.data, formula(q.data, k.data, v.data, bias)[0], atol=1e-5)

    @pytest.mark.parametrize("shape", [(4, 5), (1, 5), (5,), (3, 4, 5), (2, 1, 4, 5), (2, 3, 1, 1), ()])
    def test_masks_broadcast(self, shape):
        q, k, v = three(2, 3)
        bias = normal(*shape, seed=5)
        wide = np.broadcast_to(bias, (2, 3, 4, 5))
        for mask, whole in ((bias, wide), (bias > 0, np.where(wide > 0, 0, -np.inf))):
            got = A.scaled_dot_product_attention(q, k, v, attn_mask=mask).data
            np.testing.assert_allclose(got, formula(q.data, k.data, v.data, whole)[0], atol=1e-5)

    @pytest.mark.parametrize("size", [1e-3, 1, 1e2, 1e4, 1e18])
    def test_scores_of_any_size(self, size):
        """Quiet scores skip the maximum, loud ones do not; the border must not show."""
        q, k, v = three(2)
        loud = Tensor(q.data * size)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            got = A.scaled_dot_product_attention(loud, k, v).data
        np.testing.assert_allclose(got, formula(loud.data, k.data, v.data)[0], atol=1e-4)

    def test_minus_a_billion_for_everything_is_not_minus_infinity(self):
        q, k, v = three()
        got = A.scaled_dot_product_attention(q, k, v, attn_mask=np.full((4, 5), -1e9, np.float32)).data
        np.testing.assert_allclose(got, np.tile(v.data.mean(axis=0), (4, 1)), atol=1e-5)

    def test_float32_whatever_the_mask(self):
        q, k, v = three()
        for mask in (np.zeros((4, 5)), np.ones((4, 5), bool), Tensor(np.zeros((4, 5)))):
            out, weights = A.scaled_dot_product_attention(q, k, v, mask, need_weights=True)
            assert out.data.dtype == weights.dtype == np.float32
            assert A.scaled_dot_product_attention(q, k, v, mask).data.dtype == np.float32

    def test_weights_are_a_copy(self):
        q, k, v = three(requires_grad=True)
        out, weights = A.scaled_dot_product_attention(q, k, v, need_weights=True)
        weights[...] = 0
        out.sum().backward()
        assert np.abs(v.grad).sum() > 0

    @pytest.mark.parametrize("way", ["fused", "composed", "layer"])
    def test_a_row_that_sees_nothing_gets_zeros(self, way):
        allowed = np.ones((4, 4), bool)
        allowed[1] = False
        x = Tensor(normal(2, 4, 6), requires_grad=True)
        q = Tensor(normal(2, 4, 6, seed=1), requires_grad=True)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            if way == "layer":
                layer = A.MultiHeadAttention(6, 2)
                fast, (out, weights) = layer(q, x, attn_mask=allowed), layer(q, x, x, allowed, need_weights=True)
                np.testing.assert_allclose(fast.data, out.data, atol=1e-6)
            else:
                out = A.scaled_dot_product_attention(q, x, x, attn_mask=allowed, need_weights=way == "composed")
                out, weights = out if way == "composed" else (out, np.zeros((2, 4, 4)))
            np.testing.assert_array_equal(weights[..., 1, :], np.zeros_like(weights[..., 1, :]))
            np.testing.assert_array_equal(out.data[:, 1], np.zeros((2, 6)))
            out.sum().backward()
        np.testing.assert_array_equal(q.grad[:, 1], np.zeros((2, 6)))
        assert np.isfinite(x.grad).all()
        assert np.abs(q.grad[:, 0]).sum() > 0

    def test_self_attention_has_no_order(self):
        layer, x, order = A.MultiHeadAttention(8, 2), normal(1, 6, 8), np.random.default_rng(0).permutation(6)
        np.testing.assert_allclose(layer(Tensor(x[:, order])).data, layer(Tensor(x)).data[:, order], atol=1e-5)

    def test_causal_answers_know_nothing_of_what_comes(self):
        layer, x = A.MultiHeadAttention(8, 2), normal(1, 100, 8)
        changed = x.copy()
        changed[:, 70:] += 1
        got, other = (layer(Tensor(a), is_causal=True).data for a in (x, changed))
        np.testing.assert_array_equal(got[:, :70], other[:, :70])
        assert np.abs(got[:, 70:] - other[:, 70:]).max() > 1e-3

    def test_without_a_batch(self):
        layer, x = A.MultiHeadAttention(8, 2), normal(1, 5, 8)
        np.testing.assert_allclose(layer(Tensor(x[0])).data, layer(Tensor(x)).data[0], atol=1e-6)


class TestDropout:
    def test_only_while_training(self):
        layer, x = A.MultiHeadAttention(8, 2, dropout=0.5), Tensor(normal(2, 5, 8))
        same = A.MultiHeadAttention(8, 2)
        same.load_state_dict(layer.state_dict())
        manual_seed(0)
        first, second = layer(x).data, layer(x).data
        assert np.abs(first - second).max() > 1e-3
        layer.eval()
        np.testing.assert_array_equal(layer(x).data, same(x).data)
        layer.train()
        assert np.abs(layer(x).data - same(x).data).max() > 1e-3

    def test_the_weights_that_are_shown_are_whole(self):
        layer, x = A.MultiHeadAttention(8, 2, dropout=0.9), Tensor(normal(2, 5, 8))
        np.testing.assert_allclose(layer(x, need_weights=True)[1].sum(axis=-1), np.ones((2, 2, 5)), rtol=1e-5)

    def test_the_mean_stays(self):
        q, k, v = three(T=2000, S=8)
        same = Tensor(np.tile(q.data[:1], (2000, 1)))
        manual_seed(1)
        got = A.scaled_dot_product_attention(same, k, v, dropout_p=0.3).data.mean(axis=0)
        np.testing.assert_allclose(got, formula(q.data[:1], k.data, v.data)[0][0], atol=0.05)


class TestGradients:
    @pytest.mark.parametrize("causal", [False, True])
    @pytest.mark.parametrize("masked", [False, True])
    def test_every_way_has_the_measured_slope(self, causal, masked):
        arrays = [x.data for x in three(2)]
        mask = np.random.default_rng(3).random((4, 5)) < 0.7 if masked else None
        how = {"attn_mask": mask, "is_causal": causal}
        gradient_check(lambda *x: A.scaled_dot_product_attention(*x, **how), *arrays)
        gradient_check(lambda *x: A.scaled_dot_product_attention(*x, **how, need_weights=True)[0], *arrays)
        gradient_check(lambda *x: A.chunked_attention(*x, is_causal=causal, chunk=2), *arrays)

    def test_a_mask_that_learns(self):
        arrays = [x.data for x in three(2)]
        gradient_check(lambda b, *x: A.scaled_dot_product_attention(*x, attn_mask=b), normal(1, 5, seed=9), *arrays)

    @pytest.mark.parametrize("bias", [False, True])
    def test_the_layer(self, bias):
        layer = A.MultiHeadAttention(6, 3, bias=bias)
        x, other = normal(2, 3, 6), normal(2, 4, 6, seed=1)
        gradient_check(lambda x: layer(x, is_causal=True), x)
        gradient_check(lambda x, other: layer(x, other), x, other)
        layer.zero_grad()
        layer(Tensor(x)).sum().backward()
        fast = [p.grad.copy() for p in layer.parameters()]
        layer.zero_grad()
        layer(Tensor(x), Tensor(x), Tensor(x)).sum().backward()
        for got, wanted in zip(fast, layer.parameters(), strict=True):
            np.testing.assert_allclose(got, wanted.grad, atol=1e-4)

    def test_only_what_is_needed_gets_a_gradient(self):
        for needs in [(True, False, False), (False, True, False), (False, False, True)]:
            parts = [Tensor(x.data, n) for x, n in zip(three(2), needs, strict=True)]
            A.scaled_dot_product_attention(*parts).sum().backward()
            assert [x.grad is not None for x in parts] == list(needs)

    def test_one_tensor_three_times(self):
        x = normal(2, 5, 6)
        gradient_check(lambda x: A.scaled_dot_product_attention(x, x, x), x)

    def test_two_backwards_add_up_and_one_graph_is_walked_once(self):
        q, k, v = three(requires_grad=True)
        A.scaled_dot_product_attention(q, k, v).sum().backward()
        once = q.grad.copy(), v.grad.copy()
        out = A.scaled_dot_product_attention(q, k, v)
        out.sum().backward()
        np.testing.assert_allclose(q.grad, 2 * once[0], atol=1e-6)
        np.testing.assert_allclose(v.grad, 2 * once[1], atol=1e-6)
        with pytest.raises(RuntimeError, match="second time"):
            out.sum().backward()

    def test_writing_into_what_was_saved_is_refused(self):
        q, k, v = three(requires_grad=True)
        out = A.scaled_dot_product_attention(q, k, v)
        for x in (q, k, v, out):
            with pytest.raises(ValueError):
                x.data[0] = 0
        out.sum().backward()
        q.data[0] = 0

    def test_a_mask_may_be_changed_afterwards(self):
        q, k, v = three(requires_grad=True)
        mask = np.zeros((4, 5), np.float32)
        out = A.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        mask[...] = 100
        out.sum().backward()
        np.testing.assert_allclose(q.grad.sum(), formula_slope(q, k, v), atol=1e-2)


def formula_slope(q, k, v, step=1e-3):
    """How the sum of the answers moves when all queries move."""
    up, down = (formula(q.data + sign * step, k.data, v.data)[0].sum() for sign in (1, -1))
    return (up - down) / (2 * step)


class TestMemory:
    def test_nothing_is_kept_without_recording(self):
        q, k, v = three(T=300, S=300, requires_grad=True)
        with no_grad():
            out = A.scaled_dot_product_attention(q, k, v)
        assert not out.requires_grad
        assert out._grad_fn is None

    def test_chunks_are_linear_in_the_length(self):
        from tito.lab import peak_bytes

        def peak(way, T):
            parts = [Tensor(normal(1, 1, T, 8, seed=i), requires_grad=True) for i in range(3)]
            return peak_bytes(lambda: way(*parts).sum().backward())

        assert peak(lambda *x: A.chunked_attention(*x, chunk=32), 2048) < 2.3 * peak(
            lambda *x: A.chunked_attention(*x, chunk=32), 1024
        )
        assert peak(A.scaled_dot_product_attention, 2048) > 3 * peak(A.scaled_dot_product_attention, 1024)

    def test_training_steps_leave_nothing_behind(self, objects_left):
        layer, x = A.MultiHeadAttention(8, 2), Tensor(normal(2, 5, 8))

        def step():
            layer(x, is_causal=True).sum().backward()
            layer(x, need_weights=True)[0].sum().backward()
            layer.zero_grad()

        assert objects_left(step, times=50) < 10


BATCH = Tensor(normal(2, 4, 6))


class TestErrors:
    @pytest.mark.parametrize(
        "mask, error, words",
        [
            (np.ones((4, 4), bool), ShapeError, [r"\(4, 4\)", r"\(2, 4, 5\)"]),
            (np.ones((3, 4, 5), bool), ShapeError, [r"\(3, 4, 5\)"]),
            (np.ones((1, 2, 4, 5), bool), ShapeError, [r"\(1, 2, 4, 5\)"]),
            (np.ones((4, 5), int), TypeError, ["int64", "mask == 1"]),
            (np.ones((4, 5), complex), TypeError, ["complex"]),
            ("causal", TypeError, ["booleans"]),
        ],
    )
    @pytest.mark.parametrize("composed", [False, True])
    def test_masks(self, mask, error, words, composed):
        with pytest.raises(error) as raised:
            A.scaled_dot_product_attention(*three(2), attn_mask=mask, need_weights=composed)
        for word in words:
            assert raised.match(word)

    @pytest.mark.parametrize(
        "shapes, words",
        [
            (((4, 6), (5, 7), (5, 3)), ["same length", r"\(4, 6\)", r"\(5, 7\)"]),
            (((4, 6), (5, 6), (4, 3)), ["5 keys", "there are 4"]),
            (((2, 4, 6), (1, 5, 6), (1, 5, 3)), ["must agree", "expand"]),
            (((6,), (5, 6), (5, 3)), [r"\(T, d\)"]),
            (((4, 0), (5, 0), (5, 3)), ["at least 1"]),
        ],
    )
    @pytest.mark.parametrize("way", [A.scaled_dot_product_attention, A.chunked_attention])
    def test_shapes(self, shapes, words, way):
        with pytest.raises(ShapeError) as raised:
            way(*(Tensor(np.zeros(shape)) for shape in shapes))
        for word in words:
            assert raised.match(word)

    @pytest.mark.parametrize(
        "call, error, words",
        [
            (lambda: A.MultiHeadAttention(10, 3), ValueError, ["3 heads", "10 channels"]),
            (lambda: A.MultiHeadAttention(8, 0), ValueError, ["0 heads"]),
            (lambda: A.MultiHeadAttention(0, 1), ValueError, ["0 channels"]),
            (lambda: A.MultiHeadAttention(8, 2, dropout=1.5), ValueError, ["1.5"]),
            (lambda: A.MultiHeadAttention(8, 2)(BATCH), ShapeError, [r"\(2, 4, 6\)", "embed_dim = 8"]),
            (lambda: A.MultiHeadAttention(6, 2)(BATCH, Tensor(normal(3, 4, 6))), ShapeError, ["must agree"]),
            (lambda: A.MultiHeadAttention(6, 2)(BATCH, attn_mask=np.ones((4, 3), bool)), ShapeError,
             [r"\(4, 3\)", r"\(2, 2, 4, 4\)"]),
            (lambda: A.MultiHeadAttention(6, 2)(BATCH, attn_mask=np.ones((4, 4), int)), TypeError, ["int64"]),
            (lambda: A.MultiHeadAttention(6, 2)(normal(2, 4, 6)), TypeError, ["ndarray"]),
            (lambda: A.scaled_dot_product_attention(BATCH, BATCH, BATCH, dropout_p=-0.1), ValueError, ["-0.1"]),
            (lambda: A.chunked_attention(BATCH, BATCH, BATCH, chunk=0), ValueError, ["chunk"]),
        ],
    )  # fmt: skip
    def test_the_message_names_what_does_not_fit(self, call, error, words):
        with pytest.raises(error) as raised:
            call()
        for word in words:
            assert raised.match(word)

    def test_a_refused_mask_changes_nothing(self):
        layer = A.MultiHeadAttention(6, 2, dropout=0.5)
        before = layer.state_dict()
        manual_seed(0)
        expected = layer(BATCH).data
        manual_seed(0)
        with pytest.raises(ShapeError):
            layer(BATCH, attn_mask=np.ones((3, 3), bool))
        np.testing.assert_array_equal(layer(BATCH).data, expected)  # no random number was drawn
        for name, value in layer.state_dict().items():
            np.testing.assert_array_equal(value, before[name])


class Recall(Module):
    """Pairs (letter, digit), then a letter alone: which digit came with it?"""

    def __init__(self):
        self.read = Linear(16, 24)
        self.attention = A.MultiHeadAttention(24, 2)
        self.answer = Linear(24, 8)

    def forward(self, x):
        h = self.read(x)  # (B, T, 16) -> (B, T, 24)
        return self.answer(self.attention(h, is_causal=True)[:, -1])  # (B, 8)


class TestStack:
    def test_a_layer_learns_to_recall_and_its_state_travels(self):
        manual_seed(0)
        rng, net = np.random.default_rng(0), Recall()
        optimizer = AdamW(net.parameters(), lr=0.01)

        def batch(n):
            letters = rng.permuted(np.tile(np.arange(8), (n, 1)), axis=1)[:, :6]
            digits, asked = rng.integers(0, 8, size=(n, 6)), rng.integers(0, 6, size=n)
            x = np.zeros((n, 7, 16), np.float32)
            x[np.arange(n)[:, None], np.arange(6), letters] = 1
            x[np.arange(n)[:, None], np.arange(6), 8 + digits] = 1
            x[np.arange(n), 6, letters[np.arange(n), asked]] = 1
            return Tensor(x), digits[np.arange(n), asked]

        for _ in range(300):
            optimizer.zero_grad()
            x, y = batch(32)
            cross_entropy(net(x), y).backward()
            optimizer.step()
        x, y = batch(300)
        assert (net(x).data.argmax(axis=1) == y).mean() > 0.95
        twin = Recall()
        twin.load_state_dict(net.state_dict())
        np.testing.assert_array_equal(twin(x).data, net(x).data)
