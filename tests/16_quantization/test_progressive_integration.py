"""Module 16 and the stack below it: earlier modules still work, this module's core, and both together."""

import copy
import warnings

import numpy as np
import pytest

from tinytorch.core.activations import relu
from tinytorch.core.attention import MultiHeadAttention
from tinytorch.core.autograd import gradient_check, no_grad
from tinytorch.core.layers import Linear, Module, ModuleDict, ModuleList, linear
from tinytorch.core.losses import cross_entropy
from tinytorch.core.optimizers import Adam
from tinytorch.core.spatial import Conv2d
from tinytorch.core.tensor import ShapeError, Tensor, load, manual_seed, save
from tinytorch.models.transformer import GPT
from tinytorch.optimization import quantization as Q
from tinytorch.text.embeddings import Embedding


def quantized(model, data=None, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return Q.quantize_model(copy.deepcopy(model), data, **options)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


class Nest(Module):
    """Layers wherever module 03 finds them."""

    def __init__(self):
        self.list = ModuleList([Linear(4, 4), [Linear(4, 4)]])
        self.dict = ModuleDict({"a": Linear(4, 4), "b": {"c": (Linear(4, 4), 7)}})
        self.tuple = (Linear(4, 4), "text", None)
        self.numbers = (3, 4)

    def forward(self, x):
        layers = [self.list[0], self.list[1][0], self.dict["a"], self.dict["b"]["c"][0], self.tuple[0]]
        for layer in layers:
            x = layer(x)
        return x


class TestPriorStackStillWorking:
    def test_linear_with_arrays_is_what_it_was(self):
        layer, x = Linear(5, 3), normal(4, 5)
        np.testing.assert_allclose(layer(Tensor(x)).data, x @ layer.weight.data.T + layer.bias.data, rtol=1e-5)
        gradient_check(lambda x, w, b: linear(x, w, b), x, normal(3, 5), normal(3))

    def test_attention_and_gpt_of_float32(self):
        manual_seed(0)
        x = Tensor(normal(2, 3, 8))
        assert MultiHeadAttention(8, 2)(x).shape == (2, 3, 8)
        assert GPT(7, 4, 8, 1, 2, seed=0)([[1, 2, 3]]).shape == (1, 3, 7)

    def test_buffers_keep_their_type_through_a_file(self, tmp_path):
        part = Module()
        part.register_buffer("values", np.int8([-128, 127]))
        save(part.state_dict(), tmp_path / "part.npz")
        assert load(tmp_path / "part.npz")["values"].dtype == np.int8


class TestModuleCore:
    def test_drawing_of_the_page(self):
        values, scale, zero = Q.quantize_int8([-1, 0, 0.5, 2], bits=2)
        assert (values.tolist(), float(scale), int(zero)) == ([-2, -1, -1, 1], 1.0, -1)
        np.testing.assert_array_equal(Q.dequantize_int8(values, scale, zero), [-1, 0, 0, 2])

    @pytest.mark.parametrize("x", [np.zeros((0, 3)), np.zeros((3, 0)), 4.0, [[1, 2]], Tensor([[1, -2]])])
    def test_what_numbers_may_come_in(self, x):
        values, scale, zero = Q.quantize_int8(x)
        wanted = x.data if isinstance(x, Tensor) else np.asarray(x, np.float32)
        assert values.shape == wanted.shape
        np.testing.assert_allclose(Q.dequantize_int8(values, scale, zero), wanted, atol=0.51 * scale)

    @pytest.mark.parametrize("x", [[-2, 5], (-2, 5), Tensor([-2, 5])], ids=["list", "tuple", "Tensor"])
    def test_what_values_may_go_back(self, x):
        np.testing.assert_array_equal(Q.dequantize_int8(x, 0.5, 1), [-1.5, 2])

    @pytest.mark.parametrize("axis", [2, -3, 0.1, 1.0, "0", True, (0,), np.float32(0)])
    def test_an_axis_that_there_is_not(self, axis):
        """PyTorch's third argument is a zero point: quantize_per_tensor(x, 0.1, 0, torch.qint8)."""
        with pytest.raises(ValueError, match=r"axis is None or.*-2 to 1"):
            Q.quantize_int8(normal(2, 3), axis, 0)

    def test_an_axis_of_a_number(self):
        with pytest.raises(ValueError, match="axis is None"):
            Q.quantize_int8(4.0, 0)

    @pytest.mark.parametrize("axis", [1, -1, np.int64(1), np.intp(-1)])
    def test_an_axis_from_either_end(self, axis):
        assert Q.quantize_int8(normal(2, 3), axis)[1].shape == (1, 3)

    @pytest.mark.parametrize(
        "make",
        [
            lambda: Q.QuantizedLinear(3, 2),
            lambda: Q.QuantizedLinear(Conv2d(2, 2, 3)),
            lambda: Q.QuantizedLinear(Q.QuantizedLinear(Linear(3, 2))),
            lambda: Q.QuantizedConv2d(Linear(3, 2)),
            lambda: Q.QuantizedEmbedding(Linear(3, 2)),
        ],
    )
    def test_a_twin_of_another_layer(self, make):
        with pytest.raises(TypeError, match=r"takes a (Linear|Conv2d|Embedding) that is there, not an? \w+"):
            make()

    def test_nothing_to_compare_with(self):
        with pytest.raises(ValueError, match="Module keeps no numbers"):
            Q.compare_model_sizes(Module(), Linear(3, 2))

    def test_blocks_are_a_quarter_of_the_rows_and_at_most_a_mebibyte(self):
        assert Q.block_rows(1024, 1024) == 256
        assert Q.block_rows(100_000, 1024) * 1024 == Q.BLOCK
        assert [Q.block_rows(n, 10) for n in (1, 4, 5)] == [1, 1, 2]
        assert Q.block_rows(8, 10**9) == 1
        assert Q.block_rows(8, 0) == 2

    def test_shapes_that_do_not_fit(self):
        layer, conv = Q.QuantizedLinear(Linear(4, 2)), Q.QuantizedConv2d(Conv2d(3, 2, 3))
        for x in (normal(3, 5), normal(5), np.float32(3)):
            with pytest.raises(ShapeError, match="4"):
                layer(Tensor(x))
        for x in (normal(1, 2, 8, 8), normal(3, 8, 8), normal(1, 3, 2, 2)):
            with pytest.raises(ShapeError):
                conv(Tensor(x))

    def test_ids_that_do_not_fit(self):
        table = Q.QuantizedEmbedding(Embedding(5, 3))
        for ids, failure in (([5], IndexError), ([-1], IndexError), ([0.5], TypeError)):
            with pytest.raises(failure):
                table(ids)

    def test_padding_row_stays_zero(self):
        table = Q.QuantizedEmbedding(Embedding(5, 3, padding_idx=2))
        np.testing.assert_array_equal(table([2, 2]).data, np.zeros((2, 3)))

    def test_what_a_layer_says_of_itself(self):
        layer = Q.QuantizedLinear(Linear(4, 2))
        assert repr(layer) == "QuantizedLinear(int8 2 x 4, dynamic inputs)"
        layer.input_range[...] = -1, 2.5
        assert repr(layer) == "QuantizedLinear(int8 2 x 4, inputs -1 to 2.5)"

    def test_one_freak_in_a_batch_and_a_known_range(self):
        """With a known range an answer does not depend on its neighbours in the batch."""
        manual_seed(0)
        small, x = Q.QuantizedLinear(Linear(16, 4)), normal(3, 16)
        freak = np.concatenate([x, np.full((1, 16), 100, np.float32)])
        assert np.abs(small(Tensor(freak)).data[:3] - small(Tensor(x)).data).max() > 0.1
        small.input_range[...] = -3, 3
        np.testing.assert_allclose(small(Tensor(freak)).data[:3], small(Tensor(x)).data, atol=1e-6)


class TestProgressiveStack:
    def test_layers_stand_where_they_stood(self):
        manual_seed(0)
        model, x = Nest(), Tensor(normal(6, 4))
        outer, inner, named = model.list, model.list[1], model.dict
        with pytest.warns(UserWarning):
            Q.quantize_model(model)
        assert model.list is outer
        assert model.list[1] is inner
        assert model.dict is named
        assert (type(model.list), type(model.dict), type(model.tuple)) == (ModuleList, ModuleDict, tuple)
        assert model.tuple[1:] == ("text", None)
        assert model.dict["b"]["c"][1] == 7
        kinds = {type(m) for _, m in model.named_modules()} - {Nest, Q.Int8Weight}
        assert kinds == {Q.QuantizedLinear}
        assert model(x).shape == (6, 4)

    def test_a_layer_that_another_model_holds_stays_as_it_is_there(self):
        one, other = Module(), Module()
        one.layer = other.layer = Linear(3, 3)
        with pytest.warns(UserWarning):
            Q.quantize_model(one)
        assert type(other.layer) is Linear
        assert other.layer.weight.data.dtype == np.float32

    def test_a_calibrated_model_goes_through_a_file(self, tmp_path):
        manual_seed(0)
        small, x = quantized(Nest(), normal(50, 4)), Tensor(normal(6, 4, seed=1))
        save(small.state_dict(), tmp_path / "nest.npz")
        manual_seed(1)
        other = quantized(Nest())
        other.load_state_dict(load(tmp_path / "nest.npz"))
        np.testing.assert_array_equal(other(x).data, small(x).data)
        state = small.state_dict()
        assert state["list.0.weight.values"].dtype == np.int8
        state["list.0.weight.values"] = state["list.0.weight.values"] + 0.5
        with pytest.raises(ValueError, match="int8"):
            other.load_state_dict(state)

    def test_evaluation_and_training_modes_are_kept(self):
        manual_seed(0)
        model = GPT(11, 6, 8, 2, 2, dropout=0.3, seed=0)
        model.blocks[1].eval()
        modes = {path: m.training for path, m in model.named_modules()}
        small = quantized(model, np.array([[1, 2, 3]]))
        for path, module in small.named_modules():
            if path in modes:
                assert module.training == modes[path], path

    def test_gradients_reach_what_is_left_of_float32(self):
        manual_seed(0)
        small = quantized(GPT(11, 6, 16, 2, 2, seed=0), np.arange(6)[None])
        small(np.arange(6)[None]).sum().backward()
        names = [path for path, _ in small.named_parameters()]
        assert "positions.table" in names
        assert "blocks.0.norm1.weight" in names
        assert not any(path.endswith(("attention.in_proj_weight", "up.weight", "embedding.weight")) for path in names)
        for path, parameter in small.named_parameters():
            assert parameter.grad is not None, path
            assert parameter.grad.shape == parameter.shape

    def test_a_gpt_of_int8_learns_on(self):
        small = quantized(GPT(5, 8, 16, 1, 2, seed=0), np.arange(4)[None], bits=4)
        ids = np.array([[0, 1, 2, 3, 4, 0, 1, 2]])
        optimizer, losses = Adam(small.parameters(), lr=0.02), []
        for _ in range(40):
            optimizer.zero_grad()
            loss = cross_entropy(small(ids[:, :-1]), ids[:, 1:])
            loss.backward()
            losses.append(loss.item())
            optimizer.step()
        assert losses[-1] < 0.7 * losses[0]

    def test_cross_attention_uses_the_rows_of_each_part(self):
        manual_seed(0)
        model = Module()
        model.attention = MultiHeadAttention(16, 4)
        small = quantized(model)
        query, other = Tensor(normal(2, 3, 16)), Tensor(normal(2, 5, 16, seed=1))
        with no_grad():
            got, wanted = small.attention(query, other).data, model.attention(query, other).data
            itself = small.attention(query).data
            parts = small.attention(query, query, Tensor(query.data)).data
        assert np.abs(got - wanted).max() < 0.03
        np.testing.assert_allclose(itself, parts, atol=0.02)  # in one product, and in three

    def test_a_deep_network_of_many_kinds(self):
        class Net(Module):
            def __init__(self):
                self.conv = Conv2d(2, 4, 3, stride=2, padding=1, groups=2)
                self.embedding = Embedding(6, 4)
                self.out = Linear(4, 2)

            def forward(self, x):
                h = relu(self.conv(x)).mean(axis=(2, 3))
                return self.out(h + self.embedding([1, 2]))

        manual_seed(0)
        model, x = Net(), Tensor(normal(2, 2, 9, 9))
        small = quantized(model, x.data)
        np.testing.assert_allclose(small(x).data, model(x).data, atol=0.02)
