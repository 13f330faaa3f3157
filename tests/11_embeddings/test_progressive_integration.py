"""Module 11 on the student's stack: earlier modules still work, this module's tables, and a network that learns."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinytorch.core.activations import relu
from tinytorch.core.autograd import gradient_check, no_grad
from tinytorch.core.layers import Linear, Module, linear
from tinytorch.core.losses import cross_entropy
from tinytorch.core.optimizers import AdamW
from tinytorch.core.tensor import ShapeError, Tensor, manual_seed
from tinytorch.text import embeddings as E

V, C = 7, 3
IDS = hnp.arrays(
    np.intp, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=6), elements=st.integers(0, V - 1)
)


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def scattered(g, ids, count):
    """The gradient of a lookup in float64, by np.add.at."""
    table = np.zeros((count, g.shape[-1]))
    np.add.at(table, ids, g.astype(np.float64))
    return table


class Tied(Module):
    """Rows with positions, a hidden layer, the mean, and the table again."""

    def __init__(self, vocab=V, context=5, width=4):
        self.embedding = E.Embedding(vocab, width)
        self.positions = E.PositionalEncoding(context, width, learned=True)
        self.hidden = Linear(width, width)

    def forward(self, ids):
        h = relu(self.hidden(self.positions(self.embedding(ids)))).mean(axis=1)  # (B, T) -> (B, C)
        return linear(h, self.embedding.weight)  # (B, C) -> (B, V)


class TestEarlierModules:
    def test_module_finds_the_tables(self):
        names = [name for name, _ in Tied().named_parameters()]
        assert names == ["embedding.weight", "positions.table", "hidden.weight", "hidden.bias"]

    def test_an_index_with_integers_gives_the_same_rows_and_gradient(self):
        w, other, ids = Tensor(numbers(V, C), True), Tensor(numbers(V, C), True), np.array([[1, 1], [0, 6]])
        g = numbers(2, 2, C, seed=1)
        y, expected = E.embedding(ids, w), other[ids]
        np.testing.assert_array_equal(y.data, expected.data)
        y.backward(g), expected.backward(g)
        np.testing.assert_allclose(w.grad, other.grad, rtol=1e-6)


class TestLookup:
    @settings(deadline=None)
    @given(IDS)
    def test_rows_of_any_shape_of_ids(self, ids):
        weight = numbers(V, C)
        y = E.embedding(ids, Tensor(weight))
        np.testing.assert_array_equal(y.data, weight[ids])
        assert y.data.dtype == np.float32

    @pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.int64, np.uint64])
    def test_every_type_of_integer(self, dtype):
        weight, ids = numbers(300, C), np.array([0, 255, 17], dtype=dtype)
        np.testing.assert_array_equal(E.embedding(ids, Tensor(weight)).data, weight[[0, 255, 17]])

    def test_lists_and_single_ids(self):
        layer = E.Embedding(V, C)
        assert layer([[1, 2], [3, 4]]).shape == (2, 2, C)
        assert layer(3).shape == (C,)
        assert layer(np.int64(3)).shape == (C,)
        assert layer([]).shape == (0, C)
        assert layer([[], []]).shape == (2, 0, C)

    def test_ids_stay_integers_where_float32_would_not(self):
        ids = E.check_ids(np.array([16_777_217]), 2**25)
        assert ids.dtype == np.intp
        assert ids[0] == 16_777_217
        assert int(np.float32(16_777_217)) == 16_777_216


class TestGradients:
    """Rows of a table that are used several times collect the gradients of all their uses (requirement B8)."""

    def test_repeated_indices_accumulate(self):
        layer = E.Embedding(5, 2)
        layer([1, 3, 1, 1]).backward([[1, 10], [2, 20], [3, 30], [4, 40]])
        np.testing.assert_array_equal(layer.weight.grad, [[0, 0], [8, 80], [0, 0], [2, 20], [0, 0]])

    def test_repeated_indices_accumulate_over_a_batch_and_over_calls(self):
        layer = E.Embedding(4, 1)
        (layer([[2, 2], [0, 2]]).sum() + layer([2]).sum() * 10).backward()
        np.testing.assert_array_equal(layer.weight.grad[:, 0], [1, 0, 13, 0])

    def test_two_backwards_add_up_and_zero_grad_forgets(self):
        layer = E.Embedding(4, 1)
        for _ in range(2):
            layer([0, 0, 3]).sum().backward()
        np.testing.assert_array_equal(layer.weight.grad[:, 0], [4, 0, 0, 2])
        layer.zero_grad()
        assert layer.weight.grad is None

    @settings(deadline=None)
    @given(IDS, st.integers(0, 2**32 - 1))
    def test_any_ids_against_float64(self, ids, seed):
        w, g = Tensor(numbers(V, C), True), np.random.default_rng(seed).normal(size=(*ids.shape, C)).astype(np.float32)
        E.embedding(ids, w).backward(g)
        np.testing.assert_allclose(w.grad, scattered(g, ids, V), rtol=1e-5, atol=1e-5)
        assert w.grad.dtype == np.float32

    @settings(deadline=None)
    @given(hnp.arrays(np.intp, st.integers(0, 80), elements=st.integers(0, 12)), st.integers(1, 100))
    def test_any_limit_of_rounds_gives_the_same(self, ids, limit):
        g = numbers(len(ids), C)
        np.testing.assert_allclose(E.add_rows(g, ids, 13, limit), scattered(g, ids, 13), rtol=1e-4, atol=1e-5)

    @settings(deadline=None)
    @given(hnp.arrays(np.intp, st.integers(0, 80), elements=st.integers(0, 12)))
    def test_segments_are_the_counts_of_the_ids(self, ids):
        order, starts, lengths = E.segments(ids)
        counts = dict(zip(ids[order[starts]].tolist(), lengths.tolist(), strict=True))
        assert counts == {int(i): int((ids == i).sum()) for i in ids}
        assert sorted(lengths.tolist(), reverse=True) == lengths.tolist()

    def test_a_table_larger_than_16_bits(self):
        ids, g = np.array([70_000, 4_464, 70_000, 65_535]), numbers(4, 2)  # 70,000 = 65,536 + 4,464
        np.testing.assert_allclose(E.add_rows(g, ids, 70_001), scattered(g, ids, 70_001), rtol=1e-6)

    def test_order_of_the_sum_is_that_of_the_ids(self):
        g = np.float32([[1e8], [1], [-1e8]])  # in this order 0, in others 1
        assert E.add_rows(g, np.array([3, 3, 3]), 4)[3, 0] == 0

    def test_the_measured_slope(self):
        ids = np.array([[1, 1, 6], [0, 1, 3]])
        gradient_check(lambda w: E.embedding(ids, w) * E.embedding([0, 1, 2], w), numbers(V, C))
        gradient_check(lambda x: E.PositionalEncoding(4, C)(x) ** 2, numbers(2, 3, C))

    def test_no_gradient_is_recorded_under_no_grad(self):
        layer = E.Embedding(V, C)
        with no_grad():
            assert not layer([1]).requires_grad

    def test_a_write_into_the_ids_after_the_lookup_changes_nothing(self):
        layer, ids = E.Embedding(4, 1), np.array([1, 1])
        y = layer(ids)
        ids[:] = 3
        y.sum().backward()
        np.testing.assert_array_equal(layer.weight.grad[:, 0], [0, 2, 0, 0])


class TestPadding:
    @pytest.mark.parametrize("padding_idx", [0, 2, V - 1, -1, -V])
    def test_the_row_starts_at_zero_and_gets_no_gradient(self, padding_idx):
        layer = E.Embedding(V, C, padding_idx=padding_idx)
        np.testing.assert_array_equal(layer(padding_idx % V).data, np.zeros(C))
        layer([[padding_idx % V, 1], [3, padding_idx % V]]).sum().backward()
        expected = scattered(np.ones((2, C)), np.array([1, 3]), V)
        np.testing.assert_array_equal(layer.weight.grad, expected)

    def test_training_leaves_the_row_alone(self):
        layer = E.Embedding(V, C, padding_idx=2)
        optimizer = AdamW(layer.parameters(), lr=0.1)
        for _ in range(3):
            (layer([2, 2, 1]) * 5).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
        np.testing.assert_array_equal(layer(2).data, np.zeros(C))


class TestPositions:
    @settings(deadline=None)
    @given(st.integers(1, 40), st.integers(1, 9))
    def test_the_table_is_the_formula(self, context, width):
        angle = np.arange(context)[:, None] / 10000 ** (np.arange(width) // 2 * 2 / width)
        expected = np.where(np.arange(width) % 2, np.cos(angle), np.sin(angle))
        np.testing.assert_allclose(E.sinusoidal_table(context, width), expected, atol=1e-6)

    def test_products_depend_on_the_distance_only(self):
        table = E.sinusoidal_table(200, 32).astype(np.float64)
        products = table @ table.T
        for distance in (1, 7, 50):
            np.testing.assert_allclose(np.diagonal(products, distance), products[0, distance], atol=1e-4)

    def test_fixed_and_learned(self):
        x = Tensor(np.zeros((2, 3, 4)))
        fixed, learned = E.PositionalEncoding(5, 4), E.PositionalEncoding(5, 4, learned=True)
        np.testing.assert_allclose(fixed(x).data[1], E.sinusoidal_table(3, 4), atol=1e-6)
        np.testing.assert_array_equal(learned(x).data[1], learned.table.data[:3])
        assert fixed.parameters() == []
        assert list(fixed.state_dict()) == []
        assert list(learned.state_dict()) == ["table"]
        assert fixed(Tensor(np.zeros((3, 4)))).shape == (3, 4)

    def test_the_learned_table_gets_the_sum_over_the_batch(self):
        layer, g = E.PositionalEncoding(4, 2, learned=True), numbers(3, 2, 2)
        layer(Tensor(numbers(3, 2, 2, seed=1))).backward(g)
        np.testing.assert_allclose(layer.table.grad, np.concatenate([g.sum(axis=0), np.zeros((2, 2))]), rtol=1e-5)


class TestErrors:
    @pytest.mark.parametrize(
        "ids, error, words",
        [
            ([0, V], IndexError, [f"id {V} is", f"0 to {V - 1}"]),
            ([[0], [-1]], IndexError, ["id -1 is"]),
            (np.array([2**63], np.uint64), IndexError, ["9223372036854775808"]),
            ([0.0, 1.0], TypeError, ["float"]),
            (np.array([1.0]), TypeError, ["float"]),
            ([True, False], TypeError, ["bool"]),
            (Tensor([1, 2]), TypeError, ["float32", "integers"]),
            ("if", TypeError, ["whole numbers"]),
            (["if"], TypeError, ["whole numbers"]),
            (None, TypeError, ["whole numbers"]),
            ([[1], [2, 3]], ShapeError, ["rectangle"]),
        ],
    )  # fmt: skip
    def test_wrong_ids_are_refused_before_anything_changes(self, ids, error, words):
        layer = E.Embedding(V, C)
        before = layer.weight.numpy()
        with pytest.raises(error) as raised:
            layer(ids)
        for word in words:
            assert word in str(raised.value)
        np.testing.assert_array_equal(layer.weight.data, before)
        assert layer.weight.grad is None
        layer.weight.data[0] = 1  # no graph is left that would keep it frozen

    @pytest.mark.parametrize(
        "call, error, words",
        [
            (lambda: E.Embedding(0, 3), ValueError, "at least 1"),
            (lambda: E.Embedding(3, -1), ValueError, "at least 1"),
            (lambda: E.Embedding(3.0, 2), TypeError, "3.0 is not a whole number"),
            (lambda: E.Embedding(True, 2), TypeError, "True is not a whole number"),
            (lambda: E.Embedding(3, 2, padding_idx=3), IndexError, "padding_idx 3"),
            (lambda: E.Embedding(3, 2, padding_idx=-4), IndexError, "padding_idx -4"),
            (lambda: E.Embedding(3, 2, padding_idx=0.0), TypeError, "whole number"),
            (lambda: E.embedding([0], Tensor(np.zeros((3, 2))), padding_idx=5), IndexError, "padding_idx 5"),
            (lambda: E.embedding([0], Tensor(np.zeros(3))), ShapeError, r"\(3,\) is not \(V, C\)"),
            (lambda: E.embedding(Tensor(np.zeros((3, 2))), [0]), ShapeError, r"is not \(V, C\)"),
            (lambda: E.PositionalEncoding(0, 4), ValueError, "at least 1"),
            (lambda: E.PositionalEncoding(4, 2.5), TypeError, "whole number"),
            (lambda: E.PositionalEncoding(4, 6)(Tensor(np.zeros((1, 5, 6)))), ShapeError, "5 .* 4"),
            (lambda: E.PositionalEncoding(4, 6, True)(Tensor(np.zeros((1, 5, 6)))), ShapeError, "5 .* 4"),
            (lambda: E.PositionalEncoding(4, 6)(Tensor(np.zeros((1, 3, 1)))), ShapeError, r"\(1, 3, 1\)"),
            (lambda: E.PositionalEncoding(4, 6)(Tensor(np.zeros(6))), ShapeError, r"\(6,\)"),
        ],
    )  # fmt: skip
    def test_wrong_sizes_are_refused(self, call, error, words):
        with pytest.raises(error, match=words):
            call()


class TestTying:
    def test_one_parameter_in_every_list(self):
        model = Tied()
        assert len(model.parameters()) == 4
        assert [path for path in model.state_dict() if "embedding" in path] == ["embedding.weight"]

    def test_a_layer_that_shares_the_parameter_lists_it_once(self):
        head = Linear(4, V, bias=False)
        model = Tied()
        head.weight = model.embedding.weight
        model.head = head
        assert len(model.parameters()) == 4
        assert next(iter(model.state_dict())) == "embedding.weight"
        assert "head.weight" not in model.state_dict()

    def test_gradients_of_both_uses_add_up(self):
        ids, g = np.array([[1, 1, 2], [0, 6, 1]]), numbers(2, V)
        model = Tied()
        model(ids).backward(g)
        w = model.embedding.weight.numpy()
        first, second = Tensor(w, requires_grad=True), Tensor(w, requires_grad=True)
        rows = E.embedding(ids, first)
        h = relu(model.hidden(model.positions(rows))).mean(axis=1)
        linear(h, second).backward(g)
        assert np.abs(first.grad).max() > 0
        assert np.abs(second.grad).max() > 0
        np.testing.assert_allclose(model.embedding.weight.grad, first.grad + second.grad, rtol=1e-5, atol=1e-6)

    def test_what_is_written_into_the_table_reaches_the_output(self):
        model, ids = Tied(), np.array([[1, 2, 3]])
        before = model(ids).data.copy()
        with no_grad():
            model.embedding.weight.data[5] += 1  # no id of the batch: only the output can change
        np.testing.assert_array_equal(np.flatnonzero(model(ids).data[0] != before[0]), [5])


class TestStack:
    def test_a_network_learns_which_word_stands_first(self):
        manual_seed(0)
        rng = np.random.default_rng(0)
        ids = rng.integers(0, V, size=(64, 4))
        model = Tied(width=16)
        optimizer, losses = AdamW(model.parameters(), lr=0.02), []
        for _ in range(200):
            error = cross_entropy(model(ids), ids[:, 0])
            error.backward()
            losses.append(error.item())
            optimizer.step()
            optimizer.zero_grad()
        assert losses[-1] < 0.3 * losses[0]
        second = Tied(width=16)
        second.load_state_dict(model.state_dict())
        with no_grad():
            np.testing.assert_array_equal(second(ids).data, model(ids).data)

    def test_training_steps_leave_nothing_behind(self, objects_left):
        model, ids = Tied(), np.array([[1, 1, 2]])

        def step():
            cross_entropy(model(ids), [3]).backward()
            model.zero_grad()

        assert objects_left(step, times=50) < 10
