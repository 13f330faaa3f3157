"""Module 15 on the student's stack: the GPT is as it was, the cache says what the model says, both write the same."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinytorch.core.attention import MultiHeadAttention
from tinytorch.core.autograd import no_grad
from tinytorch.core.layers import Linear, Module
from tinytorch.core.losses import cross_entropy
from tinytorch.core.optimizers import SGD, AdamW
from tinytorch.core.tensor import ShapeError, Tensor, wrap
from tinytorch.generation import kv_cache as K
from tinytorch.models.transformer import GPT, Bigram, FeedForward, LayerNorm, TransformerBlock
from tinytorch.text.embeddings import PositionalEncoding
from tito.lab import peak_bytes

SIZES = {"vocab_size": 13, "context": 10, "d_model": 8, "num_layers": 2, "num_heads": 2}
SEEDS = st.integers(0, 2**32 - 1)


def gpt(seed=0, **options):
    """A GPT in evaluation, with weights large enough that its texts differ."""
    model = GPT(**(SIZES | {"seed": 0} | options)).eval()
    rng = np.random.default_rng(seed)
    for path, parameter in model.named_parameters():
        parameter.data[...] = rng.normal("norm" in path and path.endswith("weight"), 0.4, size=parameter.shape)
    return model


def texts(B, T, seed=0):
    return np.random.default_rng(seed).integers(13, size=(B, T))


def logits_of(model, ids):
    with no_grad():
        return model(ids).data


def state_of(model):
    return {path: array.copy() for path, array in model.state_dict().items()}


class Rounded(Module):
    """Stands in a Linear's place, as module 16's and 17's layers do: it has no weight to reach for."""

    def __init__(self, layer):
        self.matrix, self.shift = np.round(layer.weight.data, 1), layer.bias.data

    def forward(self, x):
        assert isinstance(x, Tensor)
        return wrap(x.data @ self.matrix.T + self.shift)


class TestEarlierModules:
    def test_the_gpt_writes_as_before_and_no_class_was_changed(self):
        model = gpt()
        before, methods = state_of(model), {kind: dict(vars(kind)) for kind in (GPT, TransformerBlock, Linear)}
        text = model.generate([1, 2], 12, seed=3)
        K.generate(model, [1, 2], 12, seed=3)
        assert {kind: dict(vars(kind)) for kind in methods} == methods
        np.testing.assert_array_equal(model.generate([1, 2], 12, seed=3), text)
        for path, array in model.state_dict().items():
            np.testing.assert_array_equal(array, before[path])

    def test_each_part_is_in_the_mode_that_it_was_in(self):
        model = gpt(dropout=0.5).train()
        model.blocks[1].eval()
        modes = [module.training for _, module in model.named_modules()]
        K.generate(model, [1, 2], 3, seed=0)
        assert [module.training for _, module in model.named_modules()] == modes
        assert {True, False} <= set(modes)

    def test_nothing_is_recorded_and_training_goes_on(self):
        model = gpt()
        K.generate(model, [1, 2], 5, seed=0)
        assert all(p.grad is None and p._grad_fn is None for p in model.parameters())
        model.train()
        loss = cross_entropy(model(texts(2, 6)), texts(2, 6, seed=1))
        loss.backward()
        assert all(p.grad is not None for p in model.parameters())
        SGD(model.parameters(), lr=0.1).step()

    @pytest.mark.parametrize("rows", [1, 2, 7])
    def test_the_short_ways_say_what_the_layers_say(self, rows):
        x = np.random.default_rng(1).normal(3, 2, size=(rows, 8)).astype(np.float32)
        for layer in (Linear(8, 5), Linear(8, 5, bias=False), LayerNorm(8), LayerNorm(8, elementwise_affine=False),
                      LayerNorm(8, bias=False), LayerNorm(8, eps=0.5), FeedForward(8)):  # fmt: skip
            layer.eval()
            before = x.copy()
            with no_grad():
                got = K.through(layer, x)
                np.testing.assert_allclose(got, layer(Tensor(x)).data, rtol=1e-5, atol=1e-6, err_msg=repr(layer))
            assert type(got) is np.ndarray
            assert got.dtype == np.float32
            np.testing.assert_array_equal(x, before)


class TestMemoize:
    def test_each_question_is_worked_on_once(self):
        asked = []

        @K.memoize
        def square(x):
            asked.append(x)
            return x * x

        assert [square(x) for x in (3, 4, 3, 3, 4)] == [9, 16, 9, 9, 16]
        assert asked == [3, 4]

    def test_none_and_zero_are_answers(self):
        asked = []
        for answer in (None, 0, ""):
            remembering = K.memoize(lambda x, answer=answer: asked.append(x) or answer)
            assert remembering(1) == remembering(1) == answer
        assert len(asked) == 3

    def test_an_error_is_no_answer(self):
        tries = []

        @K.memoize
        def second_time(x):
            tries.append(x)
            if len(tries) == 1:
                raise ValueError("not yet")
            return x

        with pytest.raises(ValueError, match="not yet"):
            second_time(5)
        assert second_time(5) == 5

    @given(st.integers(0, 20), st.integers(1, 4), SEEDS)
    def test_means_so_far(self, T, C, seed):
        rows = np.random.default_rng(seed).normal(size=(T, C)).astype(np.float32)
        got = K.means_so_far(rows)
        assert got.dtype == np.float32
        assert got.shape == (T, C)
        for t in range(T):
            np.testing.assert_allclose(got[t], rows[: t + 1].mean(axis=0, dtype=np.float64), rtol=1e-4, atol=1e-5)


class TestMemory:
    @settings(max_examples=25, deadline=None)
    @given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 12), st.sampled_from([(4, 1), (6, 3), (8, 2)]))
    def test_the_formula_is_what_the_arrays_take(self, layers, B, context, width):
        model = GPT(5, context, width[0], layers, width[1], seed=0)
        cache = K.KVCache(model, B)
        assert cache.nbytes == cache.keys.nbytes + cache.values.nbytes == K.cache_bytes(layers, B, context, width[0])
        assert cache.keys.dtype == cache.values.dtype == np.float32

    def test_the_formula_is_what_is_measured(self):
        model = GPT(65, 128, 64, 3, 4, seed=0)
        for batch in (1, 8):
            expected = K.cache_bytes(3, batch, 128, 64)
            ids = batch * 128 * 8
            measured = peak_bytes(lambda batch=batch: K.KVCache(model, batch))
            assert expected + ids <= measured <= expected + ids + 4096

    def test_writing_on_allocates_no_more_room(self):
        model = gpt(context=64)
        cache = K.KVCache(model)
        K.advance(model, texts(1, 60), cache)
        room = cache.keys.ctypes.data, cache.values.ctypes.data
        for t in range(4):
            K.advance(model, texts(1, 1, seed=t), cache)
        assert (cache.keys.ctypes.data, cache.values.ctypes.data) == room

    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.integers(1, 3), SEEDS)
    def test_append_is_concatenation_in_every_layer(self, pieces, B, seed):
        rng, cache = np.random.default_rng(seed), K.KVCache(gpt(context=16), B)
        grown = [[np.zeros((B, 2, 0, 4), np.float32)] * 2 for _ in range(2)]
        for T in pieces:
            for layer in range(2):
                new = [rng.normal(size=(B, 2, T, 4)).astype(np.float32) for _ in range(2)]
                grown[layer] = [np.concatenate(pair, axis=2) for pair in zip(grown[layer], new, strict=True)]
                for got, expected in zip(cache.append(layer, *new), grown[layer], strict=True):
                    np.testing.assert_array_equal(got, expected)
            cache.length += T


class TestSteps:
    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.integers(1, 4), min_size=1, max_size=5), st.integers(1, 3), SEEDS)
    def test_logits_are_those_of_the_whole_text_whatever_the_pieces(self, pieces, B, seed):
        model, ids = gpt(seed, context=20), texts(B, sum(pieces), seed)
        whole, cache, start = logits_of(model, ids), K.KVCache(model, B), 0
        for T in pieces:
            got = K.advance(model, ids[:, start : start + T], cache)
            np.testing.assert_allclose(got, whole[:, start : start + T], rtol=1e-4, atol=1e-4)
            start += T
        assert cache.length == start
        np.testing.assert_array_equal(cache.known, ids)

    def test_every_one_of_127_steps_of_the_courses_gpt(self):
        model = GPT(65, 128, 128, 4, 4, seed=0).eval()
        text = K.generate(model, [0], 127, temperature=0)
        whole, cache = logits_of(model, text[None]), K.KVCache(model)
        for t in range(128):
            step = K.advance(model, text[None, t : t + 1], cache)
            assert np.abs(step[:, 0] - whole[:, t]).max() < 1e-4
        np.testing.assert_array_equal(text, model.generate([0], 127, temperature=0))

    def test_a_rewound_cache_reads_another_end(self):
        model, ids = gpt(), texts(2, 8)
        cache = K.KVCache(model, 2)
        K.advance(model, ids, cache)
        other = ids.copy()
        other[:, 5:] = (other[:, 5:] + 3) % 13
        cache.rewind(5)
        got = K.advance(model, other[:, 5:], cache)
        np.testing.assert_allclose(got, logits_of(model, other)[:, 5:], rtol=1e-4, atol=1e-4)

    def test_replaced_layers_are_called(self):
        model = gpt()
        for block in model.blocks:
            block.attention.out_proj = Rounded(block.attention.out_proj)
            block.feed_forward.up = Rounded(block.feed_forward.up)
            block.feed_forward.down = Rounded(block.feed_forward.down)
        ids = texts(2, 9)
        whole, cache = logits_of(model, ids), K.KVCache(model, 2)
        got = np.concatenate([K.advance(model, part, cache) for part in np.split(ids, 3, axis=1)], axis=1)
        np.testing.assert_allclose(got, whole, rtol=1e-4, atol=1e-4)
        text = model.generate(ids, 8, seed=5)
        np.testing.assert_array_equal(K.generate(model, ids, 8, seed=5), text)

    def test_a_layer_whose_forward_was_exchanged_is_called(self):
        model, ids = gpt(), texts(1, 7)
        up = model.blocks[0].feed_forward.up
        up.forward = lambda x, honest=up.forward: honest(x) * 2
        got = K.advance(model, ids, K.KVCache(model))
        np.testing.assert_allclose(got, logits_of(model, ids), rtol=1e-4, atol=1e-4)
        del up.forward
        assert np.abs(got - logits_of(model, ids)).max() > 0.1

    def test_a_replaced_feed_forward_and_attention_are_called(self):
        class Doubled(FeedForward):
            def forward(self, x):
                return super().forward(x) * 2

        class Louder(type(gpt().blocks[0].attention)):
            def pack(self, x):
                return super().pack(x) * 1.5

        model = gpt()
        model.blocks[0].feed_forward.__class__ = Doubled
        model.blocks[1].attention.__class__ = Louder
        ids = texts(1, 7)
        got = K.advance(model, ids, K.KVCache(model))
        np.testing.assert_allclose(got, logits_of(model, ids), rtol=1e-4, atol=1e-4)

    def test_changed_weights_count_after_a_clear(self):
        model, ids = gpt(), texts(1, 6)
        cache = K.KVCache(model)
        K.advance(model, ids, cache)
        model.load_state_dict(gpt(seed=8).state_dict())
        cache.clear()
        np.testing.assert_allclose(K.advance(model, ids, cache), logits_of(model, ids), rtol=1e-4, atol=1e-4)


class TestGenerate:
    @settings(max_examples=40, deadline=None)
    @given(
        st.integers(1, 3), st.integers(1, 14), st.integers(0, 25), st.sampled_from([0, 0.7, 1.0, 2.0]),
        st.sampled_from([None, 1, 4]), st.sampled_from([None, 0.5, 0.95]), SEEDS,
    )  # fmt: skip
    def test_the_same_ids_for_the_same_seed(self, B, T, steps, temperature, top_k, top_p, seed):
        model, prompt = gpt(seed), texts(B, T, seed)
        options = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
        expected = model.generate(prompt, steps, seed=seed, **options)
        got = K.generate(model, prompt, steps, seed=seed, **options)
        np.testing.assert_array_equal(got, expected)
        assert got.dtype == expected.dtype

    def test_one_generator_goes_on_where_it_was(self):
        model, ours, theirs = gpt(), np.random.default_rng(4), np.random.default_rng(4)
        for _ in range(3):
            np.testing.assert_array_equal(
                K.generate(model, [1, 2, 3], 6, seed=ours), model.generate([1, 2, 3], 6, seed=theirs)
            )

    def test_a_text_of_one_id_repeated_past_the_context(self):
        model = gpt()
        for prompt in ([4] * 10, [4] * 25, [4]):
            np.testing.assert_array_equal(K.generate(model, prompt, 9, seed=1), model.generate(prompt, 9, seed=1))

    def test_a_context_of_one(self):
        model = gpt(context=1)
        np.testing.assert_array_equal(K.generate(model, [1, 2], 6, seed=1), model.generate([1, 2], 6, seed=1))

    def test_each_id_is_read_once_until_the_window_moves(self, monkeypatch):
        read = []
        honest = K.block_step

        def counted(block, rows, cache, layer):
            read.append(len(rows)) if layer == 0 else None
            return honest(block, rows, cache, layer)

        monkeypatch.setattr(K, "block_step", counted)
        K.generate(gpt(), [1, 2, 3, 4], 9, seed=0)
        assert read == [4, 1, 1, 1, 1, 1, 1, 10, 10]

    def test_remembering_follows_edits_and_batches(self):
        model, remembering = gpt(), K.Remembering(gpt()).eval()
        remembering.model.load_state_dict(model.state_dict())
        for B, T, seed in ((1, 5, 0), (1, 9, 0), (2, 4, 1), (2, 4, 1), (2, 3, 1), (3, 7, 2), (1, 2, 0)):
            ids = texts(B, T, seed)
            got = remembering(ids).data
            np.testing.assert_allclose(got, logits_of(model, ids)[:, T - got.shape[1] :], rtol=1e-4, atol=1e-4)
            assert 1 <= got.shape[1] <= T

    def test_two_caches_of_one_model_do_not_meet(self):
        model, ids = gpt(), texts(2, 6)
        one, other = K.KVCache(model), K.KVCache(model)
        for t in range(6):
            a, b = (K.advance(model, ids[i : i + 1, t : t + 1], c) for i, c in enumerate((one, other)))
            np.testing.assert_allclose(np.concatenate([a, b])[:, 0], logits_of(model, ids)[:, t], atol=1e-4)

    def test_a_copy_of_the_model_writes_the_same(self):
        model = gpt()
        np.testing.assert_array_equal(
            K.generate(copy.deepcopy(model), [1], 8, seed=2), K.generate(model, [1], 8, seed=2)
        )


class TestBadInput:
    @pytest.mark.parametrize(
        "call, error, words",
        [
            (lambda m, c: K.advance(gpt(seed=1), [[1]], c), ValueError, ["another model", "KVCache"]),
            (lambda m, c: K.advance(copy.deepcopy(m), [[1]], c), ValueError, ["another model"]),
            (lambda m, c: K.advance(m, [[1], [2]], c), ShapeError, [r"\(2, 1\)", "1 texts"]),
            (lambda m, c: K.advance(m, [[1] * 8], c), ShapeError, ["3 of 10", "8 ids", "clear"]),
            (lambda m, c: K.advance(m, [[1] * 11], c), ShapeError, ["11", "10"]),
            (lambda m, c: K.advance(m, [1, 2], c), ShapeError, [r"\(B, T\)"]),
            (lambda m, c: K.advance(m, np.zeros((1, 0), int), c), ShapeError, [r"\(1, 0\)"]),
            (lambda m, c: K.advance(m, [[13]], c), IndexError, ["13"]),
            (lambda m, c: K.advance(m, [[-1]], c), IndexError, ["-1"]),
            (lambda m, c: K.advance(m, [[1.5]], c), TypeError, []),
            (lambda m, c: K.advance(m, [[1]], None), TypeError, ["KVCache", "NoneType"]),
            (lambda m, c: K.advance(m.train(), [[1]], c), RuntimeError, [r"model\.eval\(\)"]),
            (lambda m, c: c.rewind(4), ValueError, ["3 places"]),
            (lambda m, c: c.rewind(-1), ValueError, ["-1"]),
        ],
    )
    def test_refused_before_anything_changes(self, call, error, words):
        model = gpt()
        cache = K.KVCache(model)
        K.advance(model, [[1, 2, 3]], cache)
        before, keys, state = cache.length, cache.keys[:, :, :, :3].copy(), state_of(model)
        with pytest.raises(error) as raised:
            call(model, cache)
        for word in words:
            assert raised.match(word)
        assert cache.length == before
        np.testing.assert_array_equal(cache.known, [[1, 2, 3]])
        np.testing.assert_array_equal(cache.keys[:, :, :, :3], keys)
        for path, array in model.state_dict().items():
            np.testing.assert_array_equal(array, state[path])

    @pytest.mark.parametrize(
        "call, error, words",
        [
            (lambda: K.KVCache(Bigram(np.ones((3, 3)))), TypeError, ["Bigram", "generate"]),
            (lambda: K.KVCache(Linear(2, 2)), TypeError, ["Linear"]),
            (lambda: K.generate(Bigram(np.ones((3, 3))), [0], 2), TypeError, ["Bigram"]),
            (lambda: K.KVCache(gpt(), 0), ValueError, ["batch_size", "0"]),
            (lambda: K.KVCache(gpt(), 1.5), ValueError, ["batch_size", "1.5"]),
            (lambda: K.KVCache(gpt(), True), ValueError, ["batch_size"]),
            (lambda: K.generate(gpt(), [], 2), ShapeError, ["prompt"]),
            (lambda: K.generate(gpt(), [[13]], 2), IndexError, ["13"]),
            (lambda: K.generate(gpt(), [1], -1), ValueError, ["from 0 on"]),
            (lambda: K.generate(gpt(), [1], 2, temperature=-1), ValueError, ["temperature"]),
            (lambda: K.generate(gpt(), [1], 2, top_k=0), ValueError, ["top_k"]),
            (lambda: K.generate(gpt(), [1.5], 2), TypeError, []),
        ],
    )
    def test_the_message_names_what_is_wrong(self, call, error, words):
        with pytest.raises(error) as raised:
            call()
        for word in words:
            assert raised.match(word)

    def test_a_model_with_a_forward_of_its_own_is_not_passed_over(self):
        class Loud(GPT):
            def forward(self, ids):
                return super().forward(ids) * 2

        class Odd(TransformerBlock):
            def forward(self, x, is_causal=False):
                return x

        with pytest.raises(TypeError, match="Loud"):
            K.KVCache(Loud(**SIZES))
        model = gpt()
        model.blocks[1] = Odd(8, 2)
        with pytest.raises(TypeError, match=r"blocks\.1 is a Odd"):
            K.generate(model, [1], 2)

    @pytest.mark.parametrize(
        "part, kind, where",
        [
            (lambda m: m.blocks[1].attention, MultiHeadAttention, r"blocks\.1\.attention"),
            (lambda m: m.positions, PositionalEncoding, "positions"),
        ],
        ids=["attention", "positions"],
    )
    def test_neither_is_a_part_with_one(self, part, kind, where):
        class Tripled(kind):
            def forward(self, x, *others, **options):
                return super().forward(x, *others, **options) * 3

        model = gpt()
        part(model).__class__ = Tripled
        with pytest.raises(TypeError, match=rf"{where} is a Tripled"):
            K.KVCache(model)

    @pytest.mark.parametrize(
        "part",
        [lambda m: m, lambda m: m.positions, lambda m: m.blocks[0], lambda m: m.blocks[0].attention],
        ids=["model", "positions", "block", "attention"],
    )
    def test_nor_one_whose_forward_was_exchanged(self, part):
        model = gpt()
        part(model).forward = lambda x, **options: x
        with pytest.raises(TypeError, match="forward of its own"):
            K.generate(model, [1], 2)
        del part(model).forward
        assert K.generate(model, [1], 2, seed=0).tolist() == model.generate([1], 2, seed=0).tolist()

    @pytest.mark.parametrize(
        "layer, keys, values, error, words",
        [
            (0, (1, 2, 1, 4), (2, 2, 1, 4), ShapeError, [r"\(2, 2, 1, 4\)", r"\(1, 2, T, 4\)"]),
            (0, (1, 2, 2, 4), (1, 2, 1, 4), ShapeError, [r"\(1, 2, 2, 4\)", r"\(1, 2, 1, 4\)"]),
            (0, (1, 1, 1, 4), (1, 1, 1, 4), ShapeError, [r"\(1, 2, T, 4\)"]),
            (0, (1, 2, 1, 1), (1, 2, 1, 1), ShapeError, [r"\(1, 2, T, 4\)"]),
            (0, (2, 1, 4), (2, 1, 4), ShapeError, [r"\(2, 1, 4\)"]),
            (0, (1, 2, 8, 4), (1, 2, 8, 4), ShapeError, ["3 of 10", "8 more", "clear"]),
            (-1, (1, 2, 1, 4), (1, 2, 1, 4), IndexError, ["2 layers", "-1"]),
            (2, (1, 2, 1, 4), (1, 2, 1, 4), IndexError, ["2 layers"]),
        ],
    )
    def test_keys_and_values_that_do_not_belong_into_the_cache(self, layer, keys, values, error, words):
        cache = K.KVCache(gpt())
        K.advance(cache.model, [[1, 2, 3]], cache)
        before = cache.keys.copy(), cache.values.copy()
        with pytest.raises(error) as raised:
            cache.append(layer, np.ones(keys, np.float32), np.ones(values, np.float32))
        for word in words:
            assert raised.match(word)
        for room, was in zip((cache.keys, cache.values), before, strict=True):
            np.testing.assert_array_equal(room, was)

    def test_a_step_that_breaks_off_leaves_the_cache_as_it_was(self):
        class Broken(Module):
            def forward(self, x):
                raise KeyboardInterrupt

        model, ids = gpt(), texts(1, 6)
        cache = K.KVCache(model)
        K.advance(model, ids[:, :4], cache)
        down = model.blocks[1].feed_forward.down
        model.blocks[1].feed_forward.down = Broken()
        with pytest.raises(KeyboardInterrupt):
            K.advance(model, ids[:, 4:], cache)
        model.blocks[1].feed_forward.down = down
        got = K.advance(model, ids[:, 4:], cache)
        np.testing.assert_allclose(got, logits_of(model, ids)[:, 4:], rtol=1e-4, atol=1e-4)

    def test_weights_that_became_nan_are_named(self):
        model = gpt()
        model.norm.weight.data[0] = np.nan
        with pytest.raises(ArithmeticError, match="nan"):
            K.generate(model, [1], 2)


class TestStack:
    def test_a_model_that_learned_to_count_counts_on(self):
        model, rng = GPT(11, 8, 16, 2, 2, seed=0), np.random.default_rng(0)
        adam = AdamW(model.parameters(), lr=1e-2)
        for _ in range(60):
            text = (rng.integers(11, size=(16, 1)) + np.arange(9)) % 11
            adam.zero_grad()
            cross_entropy(model(text[:, :-1]), text[:, 1:]).backward()
            adam.step()
        np.testing.assert_array_equal(K.generate(model, [7, 8], 38, temperature=0), (np.arange(40) + 7) % 11)
