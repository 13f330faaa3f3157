"""Forward and backward against PyTorch, over ids, tables and paddings that hypothesis chooses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinytorch.core.activations import relu
from tinytorch.core.layers import Linear, Module, linear
from tinytorch.core.tensor import Tensor
from tinytorch.text import embeddings as E

torch = pytest.importorskip("torch")
F = torch.nn.functional

SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def lookups(draw):
    """A table, ids for it, a padding index or None, and a gradient of the rows."""
    count, width = draw(st.integers(1, 40)), draw(st.integers(1, 9))
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=12))
    ids = draw(hnp.arrays(np.int64, shape, elements=st.integers(0, count - 1)))
    padding = draw(st.none() | st.integers(-count, count - 1))
    rng = np.random.default_rng(draw(SEEDS))
    numbers = (rng.normal(size=(count, width)), rng.normal(size=(*shape, width)))
    return *(array.astype(np.float32) for array in numbers), ids, padding


@settings(deadline=None)
@given(lookups())
def test_rows_and_gradient(lookup):
    table, g, ids, padding = lookup
    ours, theirs = Tensor(table, requires_grad=True), torch.tensor(table, requires_grad=True)
    y, expected = E.embedding(ids, ours, padding), F.embedding(torch.tensor(ids), theirs, padding)
    y.backward(g)
    expected.backward(torch.tensor(g))
    np.testing.assert_array_equal(y.data, expected.detach().numpy())
    np.testing.assert_allclose(ours.grad, theirs.grad.numpy(), rtol=1e-5, atol=1e-5)


@settings(deadline=None)
@given(st.integers(1, 12), st.data())
def test_the_layer_starts_and_treats_padding_alike(count, data):
    padding = data.draw(st.none() | st.integers(-count, count - 1))
    ours, theirs = E.Embedding(count, 3, padding), torch.nn.Embedding(count, 3, padding)
    zero = [(rows == 0).all(axis=1).tolist() for rows in (ours.weight.data, theirs.weight.detach().numpy())]
    assert zero[0] == zero[1]
    theirs.load_state_dict({name: torch.tensor(array) for name, array in ours.state_dict().items()})
    ids = np.array(data.draw(st.lists(st.integers(0, count - 1), min_size=1)))
    (ours(ids) * 3).sum().backward()
    (theirs(torch.tensor(ids)) * 3).sum().backward()
    np.testing.assert_allclose(ours.weight.grad, theirs.weight.grad.numpy(), rtol=1e-5)


@settings(deadline=None)
@given(st.integers(1, 7), st.integers(1, 9), st.booleans(), SEEDS)
def test_positions_are_added_as_a_second_embedding(places, width, learned, seed):
    layer = E.PositionalEncoding(9, width, learned)
    rng = np.random.default_rng(seed)
    x, g = (rng.normal(size=(2, places, width)).astype(np.float32) for _ in range(2))
    ours, theirs = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    table = torch.tensor(layer.table.numpy() if learned else layer.table, requires_grad=True)
    y, expected = layer(ours), theirs + F.embedding(torch.arange(places), table)
    y.backward(g)
    expected.backward(torch.tensor(g))
    np.testing.assert_allclose(y.data, expected.detach().numpy(), rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(ours.grad, theirs.grad.numpy())
    if learned:
        np.testing.assert_allclose(layer.table.grad, table.grad.numpy(), rtol=1e-5, atol=1e-6)


class Ours(Module):
    """Rows, a hidden layer, and the same table as output."""

    def __init__(self):
        self.embedding = E.Embedding(11, 4, padding_idx=0)
        self.hidden = Linear(4, 4)

    def forward(self, ids):
        return linear(relu(self.hidden(self.embedding(ids))), self.embedding.weight)


class Theirs(torch.nn.Module):
    """The same in PyTorch."""

    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(11, 4, padding_idx=0)
        self.hidden = torch.nn.Linear(4, 4)

    def forward(self, ids):
        return F.linear(F.relu(self.hidden(self.embedding(ids))), self.embedding.weight)


@settings(max_examples=20, deadline=None)
@given(hnp.arrays(np.int64, (2, 5), elements=st.integers(0, 10)), SEEDS)
def test_a_tied_model_has_one_table_with_both_gradients(ids, seed):
    ours, theirs = Ours(), Theirs()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]
    theirs.load_state_dict({name: torch.tensor(array) for name, array in ours.state_dict().items()})
    g = np.random.default_rng(seed).normal(size=(2, 5, 11)).astype(np.float32)
    y, expected = ours(ids), theirs(torch.tensor(ids))
    y.backward(g)
    expected.backward(torch.tensor(g))
    np.testing.assert_allclose(y.data, expected.detach().numpy(), rtol=1e-4, atol=1e-5)
    for (name, p), (_, q) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        np.testing.assert_allclose(p.grad, q.grad.numpy(), rtol=1e-4, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("ids", [[0, 5], [-1, 0]])
def test_both_refuse_an_id_outside(ids):
    with pytest.raises(IndexError):
        E.Embedding(5, 2)(ids)
    with pytest.raises(IndexError):
        torch.nn.Embedding(5, 2)(torch.tensor(ids))


def test_both_refuse_float_ids():
    with pytest.raises(TypeError):
        E.Embedding(5, 2)(np.array([1.0]))
    with pytest.raises(RuntimeError):
        torch.nn.Embedding(5, 2)(torch.tensor([1.0]))
