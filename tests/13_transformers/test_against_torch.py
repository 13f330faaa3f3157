"""Layer norm, a block and a whole GPT against PyTorch, forward and backward, with the weights copied over."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinytorch.core.losses import cross_entropy
from tinytorch.core.optimizers import AdamW
from tinytorch.core.tensor import Tensor
from tinytorch.models import transformer as M

torch = pytest.importorskip("torch")
F, N = torch.nn.functional, torch.nn

SEEDS = st.integers(0, 2**32 - 1)


def normal(seed, *shapes):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


def close(got, wanted, tolerance):
    """Equal to `tolerance` of the largest number."""
    wanted = wanted.detach().numpy()
    assert got.shape == wanted.shape
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance * max(1.0, float(np.abs(wanted).max(initial=0))))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(1, 5), max_size=2),
    st.lists(st.integers(1, 6), min_size=1, max_size=2),
    st.sampled_from([1e-5, 1e-3, 0.5]),
    st.booleans(),
    SEEDS,
)
def test_layer_norm(leading, last, eps, affine, seed):
    arrays = normal(seed, (*leading, *last), tuple(last), tuple(last))[: 3 if affine else 1]
    ours, theirs = [Tensor(a, True) for a in arrays], [torch.tensor(a, requires_grad=True) for a in arrays]
    rest = (None, None) if not affine else ()
    y = M.layer_norm(ours[0], tuple(last), *ours[1:], *rest, eps=eps)
    expected = F.layer_norm(theirs[0], tuple(last), *theirs[1:], *rest, eps=eps)
    close(y.data, expected, 1e-4)
    (g,) = normal(seed + 1, y.shape)
    y.backward(g)
    expected.backward(torch.tensor(g))
    lost = 1e-6 / np.sqrt(eps)  # where a row's numbers are alike, as one alone is, terms of 1 / sqrt(eps) cancel
    for a, b in zip(ours, theirs, strict=True):
        close(a.grad, b.grad, 1e-4 + lost)


class Attention(N.Module):
    """PyTorch's fused attention, with our names for the weights."""

    def __init__(self, C, heads):
        super().__init__()
        self.heads = heads
        self.in_proj_weight, self.in_proj_bias = N.Parameter(torch.zeros(3 * C, C)), N.Parameter(torch.zeros(3 * C))
        self.out_proj = N.Linear(C, C)

    def forward(self, x):
        B, T, C = x.shape
        parts = F.linear(x, self.in_proj_weight, self.in_proj_bias).split(C, dim=2)
        q, k, v = (part.view(B, T, self.heads, -1).transpose(1, 2) for part in parts)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out_proj(y.transpose(1, 2).reshape(B, T, C))


class FeedForward(N.Module):
    def __init__(self, C):
        super().__init__()
        self.up, self.down = N.Linear(C, 4 * C), N.Linear(4 * C, C)

    def forward(self, x):
        return self.down(F.gelu(self.up(x), approximate="tanh"))


class Block(N.Module):
    def __init__(self, C, heads):
        super().__init__()
        self.norm1, self.attention = N.LayerNorm(C), Attention(C, heads)
        self.norm2, self.feed_forward = N.LayerNorm(C), FeedForward(C)

    def forward(self, x):
        y = x + self.attention(self.norm1(x))
        return y + self.feed_forward(self.norm2(y))


class Positions(N.Module):
    def __init__(self, context, C):
        super().__init__()
        self.table = N.Parameter(torch.zeros(context, C))

    def forward(self, x):
        return x + self.table[: x.shape[1]]


class GPT(N.Module):
    def __init__(self, V, context, C, layers, heads):
        super().__init__()
        self.embedding, self.positions = N.Embedding(V, C), Positions(context, C)
        self.blocks = N.ModuleList([Block(C, heads) for _ in range(layers)])
        self.norm = N.LayerNorm(C)

    def forward(self, ids):
        x = self.positions(self.embedding(ids))
        for layer in self.blocks:
            x = layer(x)
        return F.linear(self.norm(x), self.embedding.weight)


def twins(sizes, seed):
    """Our GPT and PyTorch's, of the same numbers, larger than those that training starts with."""
    ours, theirs = M.GPT(*sizes, seed=seed), GPT(*sizes)
    rng = np.random.default_rng(seed)
    for path, parameter in ours.named_parameters():
        parameter.data[...] = rng.normal(1 if path.endswith("norm.weight") else 0, 0.3, size=parameter.shape)
    theirs.load_state_dict({path: torch.tensor(array) for path, array in ours.state_dict().items()})
    return ours, theirs


@settings(max_examples=12, deadline=None)
@given(
    st.integers(2, 40), st.integers(1, 9), st.sampled_from([(4, 1), (8, 2), (12, 4)]), st.integers(1, 3),
    st.integers(1, 3), SEEDS,
)  # fmt: skip
def test_a_whole_gpt(V, T, width, layers, B, seed):
    C, heads = width
    ours, theirs = twins((V, T + 1, C, layers, heads), seed)
    rng = np.random.default_rng(seed)
    ids, target = rng.integers(V, size=(B, T)), rng.integers(V, size=(B, T))
    logits, expected = ours(ids), theirs(torch.tensor(ids))
    close(logits.data, expected, 1e-4)
    cross_entropy(logits, target).backward()
    F.cross_entropy(expected.flatten(0, 1), torch.tensor(target).flatten()).backward()
    gradients = {path: parameter.grad for path, parameter in theirs.named_parameters()}
    for path, parameter in ours.named_parameters():
        close(parameter.grad, gradients[path], 1e-4)


def test_twenty_steps_of_adamw_stay_together():
    sizes = (19, 8, 16, 2, 4)
    ours, theirs = M.GPT(*sizes, seed=0), GPT(*sizes)
    theirs.load_state_dict({path: torch.tensor(array) for path, array in ours.state_dict().items()})
    optimizer, other = AdamW(ours.parameters(), lr=1e-3), torch.optim.AdamW(theirs.parameters(), lr=1e-3)
    rng = np.random.default_rng(0)
    for _ in range(20):
        ids = rng.integers(19, size=(4, 9))
        loss = cross_entropy(ours(ids[:, :-1]), ids[:, 1:])
        expected = F.cross_entropy(theirs(torch.tensor(ids[:, :-1])).flatten(0, 1), torch.tensor(ids[:, 1:]).flatten())
        np.testing.assert_allclose(loss.item(), expected.item(), rtol=1e-4)
        for model, step in ((loss, optimizer), (expected, other)):
            step.zero_grad()
            model.backward()
            step.step()


def test_greedy_generation():
    ours, theirs = twins((23, 10, 16, 2, 4), seed=1)
    ids = torch.tensor([[3, 1]])
    with torch.no_grad():
        for _ in range(20):
            ids = torch.cat([ids, theirs(ids[:, -10:])[:, -1].argmax(dim=-1, keepdim=True)], dim=1)
    np.testing.assert_array_equal(ours.generate([3, 1], 20, temperature=0), ids[0].numpy())
