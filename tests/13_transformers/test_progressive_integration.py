"""Module 13 on the student's stack: earlier modules still work, this module's parts, a GPT that learns and writes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinytorch.core.activations import gelu
from tinytorch.core.autograd import gradient_check, no_grad
from tinytorch.core.losses import cross_entropy
from tinytorch.core.optimizers import AdamW
from tinytorch.core.tensor import ShapeError, Tensor, manual_seed
from tinytorch.core.training import Trainer
from tinytorch.data.loader import DataLoader, TensorDataset
from tinytorch.models import transformer as M

SIZES = {"vocab_size": 11, "context": 6, "d_model": 8, "num_layers": 2, "num_heads": 2}
PROBABILITIES = hnp.arrays(
    np.float64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=7), elements=st.floats(0.001, 1)
).map(lambda a: a / a.sum(axis=1, keepdims=True))


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def small(**options):
    return M.GPT(**(SIZES | {"seed": 0} | options))


class TestEarlierModules:
    def test_parameters_are_found_once_and_the_head_has_none(self):
        names = [name for name, _ in small().named_parameters()]
        assert names[:2] == ["embedding.weight", "positions.table"]
        assert names[-2:] == ["norm.weight", "norm.bias"]
        assert len(names) == len(set(names)) == 2 + 2 * 12 + 2

    def test_state_travels(self):
        model, other = small(seed=1), small(seed=2)
        ids = np.arange(12).reshape(2, 6) % 11
        assert np.abs(model(ids).data - other(ids).data).max() > 1e-3
        other.load_state_dict(model.state_dict())
        np.testing.assert_array_equal(model(ids).data, other(ids).data)

    def test_pieces_agree_with_module_02_and_its_rule(self):
        x = numbers(3, 5, 7)
        results = []
        for function in (gelu, M.PiecewiseGELU.apply, lambda t: M.PiecewiseGELU.apply(t, piece=4)):
            t = Tensor(x, requires_grad=True)
            y = function(t)
            y.backward(numbers(*x.shape, seed=1))
            results.append((y.data, t.grad))
        for y, grad in results[1:]:
            np.testing.assert_allclose(y, results[0][0], rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(grad, results[0][1], rtol=1e-5, atol=1e-6)

    def test_writing_into_what_a_graph_has_saved_is_refused(self):
        layer, x = M.LayerNorm(3), Tensor(numbers(2, 3))
        y = layer(x)
        with pytest.raises(ValueError, match="saved for backward"):
            layer.weight.data[0] = 0
        y.sum().backward()
        layer.weight.data[0] = 0


class TestLayerNorm:
    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(st.integers(1, 4), max_size=2), st.lists(st.integers(1, 5), min_size=1, max_size=2), st.integers(0, 99)
    )
    def test_values_over_any_axes(self, leading, last, seed):
        x, weight, bias = numbers(*leading, *last, seed=seed), numbers(*last, seed=1), numbers(*last, seed=2)
        axes = tuple(range(-len(last), 0))
        wide = x.astype(np.float64)
        normal = (wide - wide.mean(axes, keepdims=True)) / np.sqrt(wide.var(axes, keepdims=True) + 1e-5)
        got = M.layer_norm(Tensor(x), tuple(last), Tensor(weight), Tensor(bias))
        np.testing.assert_allclose(got.data, normal * weight + bias, rtol=1e-3, atol=1e-3)
        assert got.data.dtype == np.float32

    @settings(max_examples=40, deadline=None)
    @given(st.integers(2, 9), st.floats(0.5, 100), st.floats(-100, 100))
    def test_shift_and_stretch_change_nothing(self, size, stretch, shift):
        x = numbers(4, size)
        plain = M.layer_norm(Tensor(x), size, eps=0).data
        np.testing.assert_allclose(M.layer_norm(Tensor(x * stretch + shift), size, eps=0).data, plain, atol=2e-2)

    def test_slopes(self):
        x, w, b = numbers(2, 3, 4), numbers(4, seed=1) + 2, numbers(4, seed=2)
        gradient_check(lambda x, w, b: M.layer_norm(x, 4, w, b), x, w, b)
        gradient_check(lambda x: M.layer_norm(x, (3, 4)), x)

    def test_no_rows_and_a_view(self):
        x = Tensor(np.zeros((0, 4)), requires_grad=True)
        M.LayerNorm(4)(x).sum().backward()
        assert x.grad.shape == (0, 4)
        turned = Tensor(numbers(4, 3)).T
        np.testing.assert_allclose(
            M.layer_norm(turned, 4).data, M.layer_norm(Tensor(numbers(4, 3).T.copy()), 4).data, rtol=1e-5, atol=1e-6
        )

    @pytest.mark.parametrize(
        "call, words",
        [
            (lambda: M.LayerNorm(3)(Tensor(numbers(2, 4))), [r"\(2, 4\)", r"\(3,\)"]),
            (lambda: M.layer_norm(Tensor(numbers(2, 4)), 4, Tensor(numbers(3))), ["weight", r"\(3,\)"]),
            (lambda: M.layer_norm(Tensor(numbers(2, 4)), 4, None, Tensor(numbers(2, 4))), ["bias"]),
            (lambda: M.LayerNorm(0), ["from 1 on"]),
            (lambda: M.LayerNorm(()), ["from 1 on"]),
            (lambda: M.LayerNorm(2.5), ["whole numbers"]),
            (lambda: M.LayerNorm(3, eps=-1), ["at least 0"]),
            (lambda: M.layer_norm(Tensor(numbers(2, 4)), 4, eps=-1), ["at least 0"]),
            (lambda: M.layer_norm(Tensor(numbers(2, 4)), 4, eps=float("nan")), ["at least 0", "nan"]),
        ],
    )
    def test_the_message_names_the_sizes(self, call, words):
        with pytest.raises(ValueError) as raised:
            call()
        for word in words:
            assert raised.match(word)


class TestSampling:
    @given(PROBABILITIES, st.integers(1, 9))
    def test_top_k_keeps_the_k_largest(self, p, k):
        kept = M.keep_top_k(p, k)
        np.testing.assert_allclose(kept.sum(axis=1), 1)
        assert (np.count_nonzero(kept, axis=1) == min(k, p.shape[1])).all()
        for row, old in zip(kept, p, strict=True):
            assert old[row > 0].min() >= old[row == 0].max(initial=0)

    @given(PROBABILITIES, st.floats(0.01, 1))
    def test_top_p_keeps_the_smallest_set_that_reaches_p(self, p, share):
        kept = M.keep_top_p(p, share)
        np.testing.assert_allclose(kept.sum(axis=1), 1)
        for row, old in zip(kept, p, strict=True):
            chosen = old[row > 0]
            assert chosen.sum() >= share - 1e-9
            assert chosen.sum() - chosen.min() < share + 1e-9
            assert chosen.min() >= old[row == 0].max(initial=0)

    @given(PROBABILITIES, st.floats(0.1, 10))
    def test_temperature_keeps_the_order(self, p, temperature):
        got = M.tempered(np.log(p), temperature)
        np.testing.assert_allclose(got.sum(axis=1), 1)
        np.testing.assert_allclose(got, p ** (1 / temperature) / (p ** (1 / temperature)).sum(axis=1, keepdims=True))

    def test_draws_have_the_probabilities(self):
        p = np.array([0.1, 0.0, 0.6, 0.3])
        logits = np.log(p, where=p > 0, out=np.full(4, -np.inf))
        drawn = M.sample(np.tile(logits, (20_000, 1)), np.random.default_rng(0))
        np.testing.assert_allclose(np.bincount(drawn, minlength=4) / len(drawn), p, atol=0.015)

    def test_greedy_is_the_limit_of_small_temperatures(self):
        logits = numbers(50, 9)
        for temperature in (0, 1e-6):
            drawn = M.sample(logits, np.random.default_rng(0), temperature)
            np.testing.assert_array_equal(drawn, logits.argmax(axis=1))

    @pytest.mark.parametrize(
        "options, error, word",
        [
            ({"temperature": -0.1}, ValueError, "greedy"),
            ({"temperature": float("nan")}, ValueError, "nan"),
            ({"temperature": float("inf")}, ValueError, "inf"),
            ({"top_k": 0}, ValueError, "at least 1"),
            ({"top_k": -3}, ValueError, "at least 1"),
            ({"top_k": 2.0}, TypeError, "whole number"),
            ({"top_p": 0}, ValueError, r"\(0, 1\]"),
            ({"top_p": 1.1}, ValueError, r"\(0, 1\]"),
            ({"top_p": -0.5}, ValueError, r"\(0, 1\]"),
        ],
    )
    def test_options_that_mean_nothing(self, options, error, word):
        with pytest.raises(error, match=word):
            M.sample(numbers(1, 5), np.random.default_rng(0), **options)
        with pytest.raises(error, match=word):
            small().generate([1], 2, **options)

    def test_logits_that_are_no_numbers(self):
        with pytest.raises(ArithmeticError, match="nan"):
            M.sample(np.array([[0.0, np.nan]]), np.random.default_rng(0))


class TestGenerate:
    def test_the_same_seed_gives_the_same_tokens(self):
        model = small()
        once, again, other = (model.generate([1, 2], 30, temperature=3, seed=s) for s in (7, 7, 8))
        np.testing.assert_array_equal(once, again)
        assert (once != other).any()
        manual_seed(3)
        first = model.generate([1, 2], 30, temperature=3)
        manual_seed(3)
        np.testing.assert_array_equal(first, model.generate([1, 2], 30, temperature=3))

    def test_greedy_follows_the_argmax_of_the_last_context_ids(self):
        model = small()
        ids = model.generate([3, 1], 9, temperature=0)
        assert ids.shape == (11,)
        with no_grad():
            for t in range(2, 11):
                window = ids[None, max(0, t - 6) : t]
                assert ids[t] == model(window).data[0, -1].argmax()

    def test_rows_do_not_hear_of_each_other(self):
        model = small()
        rows = model.generate([[1, 2, 3], [4, 5, 6]], 5, temperature=0)
        np.testing.assert_array_equal(rows[1], model.generate([4, 5, 6], 5, temperature=0))

    def test_mode_and_recording_are_as_before(self):
        model = small(dropout=0.5)
        before = [p.data.copy() for p in model.parameters()]
        model.generate([1], 3)
        assert model.training and model.blocks[0].dropout.training
        model.eval().generate([1], 3)
        assert not model.training
        with pytest.raises(IndexError):
            model.train().generate([99], 3)
        assert model.training
        model.blocks[0].eval()  # a part that somebody has frozen
        model.generate([1], 3)
        assert [model.training, model.blocks[0].training, model.blocks[1].training] == [True, False, True]
        assert model(np.array([[1]])).requires_grad
        for old, parameter in zip(before, model.parameters(), strict=True):
            np.testing.assert_array_equal(old, parameter.data)

    @pytest.mark.parametrize(
        "prompt, error",
        [([], ValueError), ([[]], ValueError), (5, ValueError), ([1.5], TypeError), ([[[1]]], ValueError),
         ([11], IndexError), ([-12], IndexError)],
    )  # fmt: skip
    def test_prompts_that_cannot_be_continued(self, prompt, error):
        with pytest.raises(error):
            small().generate(prompt, 2)

    def test_a_negative_count_is_refused_and_none_is_fine(self):
        with pytest.raises(ValueError, match="from 0 on"):
            small().generate([1], -1)
        np.testing.assert_array_equal(small().generate([4, 2], 0), [4, 2])

    @pytest.mark.parametrize("count", [1.5, None, "3", True])
    def test_a_count_that_is_no_whole_number_is_refused(self, count):
        with pytest.raises(ValueError, match="max_new_tokens is a whole number from 0 on"):
            small().generate([1], count)

    @pytest.mark.parametrize("kind", ["uint64", "int8", "uint16", "int64"])
    def test_ids_of_every_integer_type_stay_integers(self, kind):
        prompt = np.array([1, 2], kind)
        for count in (0, 3):
            ids = small().generate(prompt, count, seed=0)
            assert ids.dtype == np.intp
            np.testing.assert_array_equal(ids, small().generate([1, 2], count, seed=0))
        ids[:] = 0
        np.testing.assert_array_equal(prompt, [1, 2])

    @pytest.mark.parametrize("prompt, count", [([99] + [1] * 10, 2), ([-1] + [1] * 10, 2), ([99], 0)])
    def test_ids_that_the_model_would_not_look_at_are_looked_at_too(self, prompt, count):
        with pytest.raises(IndexError, match="out of range"):
            small().generate(prompt, count)


class TestGPT:
    def test_no_logit_hears_of_later_ids(self):
        model, ids = small(), np.array([[1, 2, 3, 4, 5, 6]])
        changed = ids.copy()
        changed[0, 4] = 9
        before, after = model(ids).data, model(changed).data
        np.testing.assert_allclose(before[:, :4], after[:, :4], atol=1e-6)
        assert np.abs(before[:, 4:] - after[:, 4:]).max() > 1e-4

    def test_first_weights_are_scaled_by_depth(self):
        model = M.GPT(50, 8, 64, 8, 4, seed=0)
        parameters = dict(model.named_parameters())
        for path, size in (("blocks.3.feed_forward.up.weight", 0.02), ("embedding.weight", 0.02),
                           ("blocks.0.attention.out_proj.weight", 0.005), ("blocks.7.feed_forward.down.weight", 0.005),
                           ("blocks.2.attention.in_proj_weight", 0.02)):  # fmt: skip
            assert abs(parameters[path].data.std() / size - 1) < 0.1, path
        assert not parameters["blocks.0.attention.out_proj.bias"].data.any()
        np.testing.assert_array_equal(parameters["norm.weight"].data, np.ones(64))

    def test_the_seed_decides_about_the_weights(self):
        for name, value in small(seed=4).state_dict().items():
            np.testing.assert_array_equal(value, small(seed=4).state_dict()[name])
        assert (small(seed=4).embedding.weight.data != small(seed=5).embedding.weight.data).any()

    def test_gradient_of_a_whole_model_along_a_direction(self):
        model, rng = small(), np.random.default_rng(0)
        for p in model.parameters():
            p.data[...] = rng.normal(0, 0.3, size=p.shape)
        ids, target = rng.integers(11, size=(2, 6)), rng.integers(11, size=(2, 6))
        cross_entropy(model(ids), target).backward()
        step, slope, moves = 1e-3, 0.0, []
        for p in model.parameters():
            move = rng.normal(size=p.shape).astype(np.float32)
            slope += float((p.grad * move).sum(dtype=np.float64))
            moves.append(move)
        ends = []
        for sign in (1, -1):
            for p, move in zip(model.parameters(), moves, strict=True):
                p.data[...] += np.float32(sign * step) * move
            ends.append(cross_entropy(model(ids), target).item())
            for p, move in zip(model.parameters(), moves, strict=True):
                p.data[...] -= np.float32(sign * step) * move
        np.testing.assert_allclose((ends[0] - ends[1]) / (2 * step), slope, rtol=2e-2)

    @pytest.mark.parametrize("dropout", [0.0, 0.3])
    def test_every_parameter_gets_a_gradient_of_its_shape(self, dropout):
        model = small(dropout=dropout)
        cross_entropy(model([[1, 2, 3]]), [[2, 3, 4]]).backward()
        for p in model.parameters():
            assert p.grad.shape == p.shape
            assert p.grad.dtype == np.float32

    @pytest.mark.parametrize(
        "call, error, words",
        [
            (lambda: small()([[1] * 7]), ShapeError, ["7 ids", "context of 6"]),
            (lambda: small()([1, 2]), ShapeError, [r"\(B, T\)", r"\(2,\)"]),
            (lambda: small()([[1.0, 2.0]]), TypeError, []),
            (lambda: small()([[11]]), IndexError, ["11"]),
            (lambda: small(num_heads=3), ValueError, ["3", "8"]),
            (lambda: small(num_layers=0), ValueError, ["num_layers", "0"]),
            (lambda: small(context=0), ValueError, ["context"]),
            (lambda: small(vocab_size=2.5), ValueError, ["vocab_size"]),
            (lambda: small(dropout=1.5), ValueError, ["1.5"]),
        ],
    )
    def test_the_message_names_what_is_wrong(self, call, error, words):
        with pytest.raises(error) as raised:
            call()
        for word in words:
            assert raised.match(word)


class TestStack:
    def test_a_gpt_learns_to_count_and_writes_on(self):
        rng = np.random.default_rng(0)
        starts = rng.integers(11, size=(64, 1))
        text = (starts + np.arange(7)) % 11
        model = small()
        optimizer, losses = AdamW(model.parameters(), lr=1e-2), []
        for _ in range(80):
            loss = cross_entropy(model(text[:, :-1]), text[:, 1:])
            optimizer.zero_grad()
            loss.backward()
            losses.append(loss.item())
            optimizer.step()
        assert losses[-1] < 0.1 * losses[0]
        np.testing.assert_array_equal(model.generate([5, 6], 9, temperature=0), np.arange(5, 16) % 11)

    def test_the_trainer_and_the_loader_of_earlier_modules_train_it(self):
        manual_seed(0)
        text = (np.arange(40)[:, None] + np.arange(9)) % 11
        data = DataLoader(TensorDataset(text[:, :-1], text[:, 1:]), 8, shuffle=True, generator=0)
        model = small(context=8)
        trainer = Trainer(model, AdamW(model.parameters(), lr=1e-2), cross_entropy)
        trainer.train(data, epochs=6)
        assert trainer.history.loss[-1] < 0.5 * trainer.history.loss[0]

    def test_training_steps_leave_nothing_behind(self, objects_left):
        model, ids = small(), np.array([[1, 2, 3, 4]])

        def step():
            cross_entropy(model(ids), ids).backward()
            model.zero_grad()

        assert objects_left(step, times=20) < 10

    def test_nodes_grow_linearly_with_depth(self):
        def nodes(layers):
            stack, seen = [small(num_layers=layers)([[1, 2, 3]]).sum()._grad_fn], set()
            while stack:
                node = stack.pop()
                if node in seen:
                    continue
                seen.add(node)
                stack += node.targets()
            return len(seen)

        one, two, four, eight = (nodes(n) for n in (1, 2, 4, 8))
        assert two - one == (four - two) / 2 == (eight - four) / 4
