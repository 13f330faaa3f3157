"""Attention of newcomers and cached text against PyTorch, on any shapes and with the weights copied over."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinytorch.generation import kv_cache as K
from tinytorch.models.transformer import GPT

torch = pytest.importorskip("torch")
F = torch.nn.functional

SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 3), st.integers(1, 3), st.integers(1, 6), st.integers(0, 6), st.integers(1, 5),
    st.sampled_from([0.1, 1.0, 30.0]), SEEDS,
)  # fmt: skip
def test_newcomers_look_back(B, H, T, known, d, size, seed):
    rng = np.random.default_rng(seed)
    S = known + T
    q, k, v = (rng.normal(size=(B, H, n, d)).astype(np.float32) for n in (T, S, S))
    q *= size
    past = torch.ones(T, S, dtype=torch.bool).tril(diagonal=S - T)
    expected = F.scaled_dot_product_attention(*map(torch.tensor, (q, k, v)), attn_mask=past).numpy()
    got = K.attend_new(q, k, v)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


class Cached:
    """A GPT in PyTorch that is written as its users write one: keys and values grow by cat."""

    def __init__(self, model):
        self.w = {path: torch.tensor(array) for path, array in model.state_dict().items()}
        self.heads, self.cache = model.blocks[0].attention.num_heads, [None] * len(model.blocks)

    def norm(self, x, path):
        return F.layer_norm(x, x.shape[-1:], self.w[f"{path}.weight"], self.w[f"{path}.bias"])

    def linear(self, x, path):
        return F.linear(x, self.w[f"{path}.weight"], self.w[f"{path}.bias"])

    def step(self, ids, start):
        """Logits for what follows one new id of each text."""
        x = self.w["embedding.weight"][ids] + self.w["positions.table"][start : start + 1]
        B, T, C = x.shape
        for layer in range(len(self.cache)):
            path = f"blocks.{layer}"
            packed = F.linear(
                self.norm(x, f"{path}.norm1"),
                self.w[f"{path}.attention.in_proj_weight"],
                self.w[f"{path}.attention.in_proj_bias"],
            )
            q, k, v = (part.view(B, T, self.heads, -1).transpose(1, 2) for part in packed.split(C, dim=2))
            if self.cache[layer] is not None:
                k, v = (torch.cat(pair, dim=2) for pair in zip(self.cache[layer], (k, v), strict=True))
            self.cache[layer] = (k, v)
            y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(B, T, C)
            x = x + self.linear(y, f"{path}.attention.out_proj")
            h = F.gelu(self.linear(self.norm(x, f"{path}.norm2"), f"{path}.feed_forward.up"), approximate="tanh")
            x = x + self.linear(h, f"{path}.feed_forward.down")
        return F.linear(self.norm(x, "norm"), self.w["embedding.weight"])


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 3), st.integers(1, 10), st.sampled_from([(4, 1), (8, 2), (12, 4)]), st.integers(1, 3), SEEDS)
def test_a_step_with_a_cache(B, T, width, layers, seed):
    model, rng = GPT(19, 12, width[0], layers, width[1], seed=0).eval(), np.random.default_rng(seed)
    for path, parameter in model.named_parameters():
        parameter.data[...] = rng.normal(path.endswith("norm.weight"), 0.3, size=parameter.shape)
    ids, cache, theirs = rng.integers(19, size=(B, T)), K.KVCache(model, B), Cached(model)
    for t in range(T):
        got = K.advance(model, ids[:, t : t + 1], cache)
        expected = theirs.step(torch.tensor(ids[:, t : t + 1]), t).numpy()
        np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-4 * max(1, np.abs(expected).max()))
    for layer, (keys, values) in enumerate(theirs.cache):
        np.testing.assert_allclose(cache.keys[layer, :, :, :T], keys.numpy(), rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(cache.values[layer, :, :, :T], values.numpy(), rtol=1e-3, atol=1e-4)
