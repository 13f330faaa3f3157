"""Modules 01-03 as the exported package gives them: layers against NumPy and PyTorch, errors by their words."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinytorch.core import layers as L
from tinytorch.core.activations import relu
from tinytorch.core.layers import Dropout, Linear, Module, Parameter, dropout, linear
from tinytorch.core.tensor import ShapeError, Tensor, load, manual_seed, save


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


class Block(Module):
    def __init__(self, width: int) -> None:
        self.first = Linear(width, 2 * width)
        self.second = Linear(2 * width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(relu(self.first(x)))


class Net(Module):
    """Everything a model may hold: layers, a list, a tuple, a Parameter, a buffer, and what is no part of it."""

    def __init__(self, width: int = 4, blocks: int = 2) -> None:
        self.width = width
        self.note = "not a part"
        self.options = {"lr": 0.1}
        self.scale = Parameter(np.ones(width))
        self.blocks = [Block(width) for _ in range(blocks)]
        self.heads = (Linear(width, 3), Linear(width, 2))
        self.gaps = Dropout(0.5)
        self.register_buffer("mean", np.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        for one in self.blocks:
            x = one(x)
        return self.heads[0](self.gaps(x * self.scale))


class TestEarlierModulesStillWork:
    def test_a_tensor_is_no_parameter(self):
        x = Tensor([[1, 2], [3, 4]])
        assert not isinstance(x, Parameter)
        np.testing.assert_array_equal((x @ x.T).data, [[5, 11], [11, 25]])

    def test_relu_of_a_parameter_is_a_tensor(self):
        out = relu(Parameter([-1.0, 2.0]))
        assert type(out) is Tensor
        np.testing.assert_array_equal(out.data, [0, 2])


class TestLinear:
    @given(
        st.lists(st.integers(0, 4), max_size=3), st.integers(1, 5), st.integers(1, 5), st.booleans(), st.integers(0, 99)
    )
    def test_it_is_a_product_and_a_sum(self, leading, inputs, outputs, with_bias, seed):
        x, weight, bias = normal(*leading, inputs, seed=seed), normal(outputs, inputs, seed=seed + 1), normal(outputs)
        got = linear(Tensor(x), Tensor(weight), Tensor(bias) if with_bias else None).data
        expected = np.einsum("...i,oi->...o", x.astype(np.float64), weight) + (bias if with_bias else 0)
        assert got.shape == (*leading, outputs)
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)

    @given(st.permutations([0, 1, 2]), st.booleans())
    def test_the_order_in_memory_changes_nothing(self, axes, by_columns):
        x = normal(2, 3, 4).transpose(axes)
        weight = normal(5, x.shape[-1])
        stored = np.asfortranarray(weight) if by_columns else weight
        np.testing.assert_allclose(linear(Tensor(x), Tensor(stored)).data, x @ weight.T, rtol=1e-5, atol=1e-6)

    def test_the_inputs_stay_as_they_are(self):
        arrays = normal(6, 4), normal(3, 4), normal(3)
        x, weight, bias = map(Tensor, arrays)
        linear(x, weight, bias)
        for tensor, array in zip((x, weight, bias), arrays, strict=True):
            np.testing.assert_array_equal(tensor.data, array)

    @pytest.mark.parametrize("shape", [(2, 3), (5,), (), (4, 2, 1)])
    def test_a_mismatch_names_both_shapes(self, shape):
        with pytest.raises(ShapeError) as raised:
            linear(Tensor(np.ones(shape)), Tensor(np.ones((6, 4))))
        assert str(shape) in str(raised.value)
        assert "(6, 4)" in str(raised.value)

    def test_a_bias_of_another_size_is_refused(self):
        with pytest.raises(ShapeError, match=r"\(3,\)"):
            linear(Tensor(np.ones((2, 4))), Tensor(np.ones((5, 4))), Tensor(np.ones(3)))

    @pytest.mark.parametrize("shape", [(7,), (5, 7), (2, 5, 7), (2, 1, 5, 7)])
    @pytest.mark.parametrize("bias", [True, False])
    def test_it_agrees_with_torch(self, shape, bias):
        torch = pytest.importorskip("torch")
        theirs = torch.nn.Linear(7, 3, bias=bias)
        ours = Linear(7, 3, bias=bias)
        ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
        x = normal(*shape)
        with torch.no_grad():
            expected = theirs(torch.from_numpy(x)).numpy()
        np.testing.assert_allclose(ours(Tensor(x)).data, expected, rtol=1e-5, atol=1e-6)

    def test_the_weight_lies_by_columns_and_stays_so(self):
        layer = Linear(6, 4)
        assert layer.weight.data.T.flags.c_contiguous
        layer.load_state_dict(Linear(6, 4).state_dict())
        assert layer.weight.data.T.flags.c_contiguous
        assert copy.deepcopy(layer).weight.data.T.flags.c_contiguous

    def test_the_start_is_uniform(self):
        manual_seed(0)
        layer = Linear(100, 500)
        for numbers in (layer.weight.data, layer.bias.data):
            assert numbers.dtype == np.float32
            assert np.abs(numbers).max() <= 0.1
            five_errors = 5 * 0.5 / numbers.size**0.5  # of a share near a half
            assert abs(np.mean(numbers > 0) - 0.5) < five_errors
            assert abs(np.mean(np.abs(numbers) > 0.05) - 0.5) < five_errors

    @pytest.mark.parametrize("sizes", [(0, 3), (3, 0), (-1, 2)])
    def test_sizes_below_one_are_refused(self, sizes):
        with pytest.raises(ValueError, match="at least 1"):
            Linear(*sizes)

    def test_dense_is_linear(self):
        assert L.Dense is Linear


class TestParameter:
    def test_the_numbers_are_copied_in_their_order(self):
        array = np.asfortranarray(normal(3, 4))
        for source in (array, Tensor(array), array.astype(np.float64)):
            parameter = Parameter(source)
            np.testing.assert_array_equal(parameter.data, array)
            assert parameter.data.flags.f_contiguous
            assert not np.shares_memory(parameter.data, array)
            assert parameter.requires_grad

    def test_it_computes_like_a_tensor(self):
        out = 2 * Parameter([1, 2]) + Tensor([1, 1])
        assert type(out) is Tensor
        np.testing.assert_array_equal(out.data, [3, 5])

    def test_repr(self):
        assert repr(Parameter([1, 2])) == "Parameter([1., 2.], shape=(2,))"

    def test_it_has_no_room_for_other_attributes(self):
        with pytest.raises(AttributeError):
            Parameter([1.0]).gradient = 0


class TestFindingParts:
    def test_names_follow_the_path(self):
        assert [name for name, _ in Net(blocks=2).named_parameters()] == [
            "scale",
            "blocks.0.first.weight", "blocks.0.first.bias", "blocks.0.second.weight",
            "blocks.1.first.weight", "blocks.1.first.bias", "blocks.1.second.weight",
            "heads.0.weight", "heads.0.bias", "heads.1.weight", "heads.1.bias",
        ]  # fmt: skip

    @given(st.integers(1, 5), st.integers(0, 4))
    def test_the_count_of_numbers(self, width, blocks):
        count = sum(parameter.numel() for parameter in Net(width, blocks).parameters())
        assert count == width + blocks * (2 * width * width + 2 * width + 2 * width * width) + 5 * (width + 1)

    @given(st.recursive(st.integers(1, 3), lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner)))
    def test_lists_and_tuples_are_opened_at_any_depth(self, layout):
        def build(part):
            return Parameter(np.ones(part)) if isinstance(part, int) else type(part)(build(inner) for inner in part)

        def names(path, part):
            if isinstance(part, int):
                return [path]
            return [name for i, inner in enumerate(part) for name in names(f"{path}.{i}", inner)]

        model = Module()
        model.parts = build(layout)
        assert [name for name, _ in model.named_parameters()] == names("parts", layout)

    def test_a_shared_parameter_is_reported_once_under_its_first_name(self):
        model = Net(blocks=1)
        model.heads[1].weight = model.heads[0].weight
        model.tied = model.blocks[0]
        model.again = [model.scale]
        names = [name for name, _ in model.named_parameters()]
        assert names.count("heads.0.weight") == 1
        assert not {"heads.1.weight", "again.0"} & set(names)
        assert not any(name.startswith("tied") for name in names)
        assert len({id(parameter) for parameter in model.parameters()}) == len(names)

    def test_a_circle_ends(self):
        model = Net(blocks=1)
        model.blocks[0].parent = model
        assert len(model.parameters()) == len(Net(blocks=1).parameters())
        assert model.eval().blocks[0].training is False

    def test_modules_and_children(self):
        model = Net(blocks=1)
        assert [name for name, _ in model.named_modules()] == [
            "", "blocks.0", "blocks.0.first", "blocks.0.second", "heads.0", "heads.1", "gaps",
        ]  # fmt: skip
        assert [name for name, _ in model.named_children()] == ["blocks.0", "heads.0", "heads.1", "gaps"]
        assert model.children()[-1] is model.gaps

    def test_a_parameter_set_to_none_is_gone(self):
        layer = Linear(2, 3)
        layer.bias = None
        assert [name for name, _ in layer.named_parameters()] == ["weight"]
        np.testing.assert_allclose(layer(Tensor([1, 1])).data, layer.weight.data.sum(axis=1), rtol=1e-6)

    def test_names_and_shapes_are_those_of_torch(self):
        torch = pytest.importorskip("torch")

        class TheirBlock(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.first = torch.nn.Linear(4, 8)
                self.second = torch.nn.Linear(8, 4, bias=False)

        theirs = {name: tuple(value.shape) for name, value in TheirBlock().state_dict().items()}
        assert {name: value.shape for name, value in Block(4).state_dict().items()} == theirs


class TestState:
    def test_a_round_trip_restores_every_number(self):
        first, second = Net(), Net()
        first.mean[:] = [1, 2, 3, 4]
        second.load_state_dict(first.state_dict())
        x = Tensor(normal(5, 4))
        np.testing.assert_array_equal(second.eval()(x).data, first.eval()(x).data)
        np.testing.assert_array_equal(second.mean, [1, 2, 3, 4])

    def test_a_state_is_a_copy(self):
        model = Net()
        state = model.state_dict()
        for array in state.values():
            assert type(array) is np.ndarray
            assert array.dtype == np.float32
            array += 1
        for name, array in model.state_dict().items():
            np.testing.assert_allclose(array, state[name] - 1, atol=1e-6)

    def test_loading_copies_into_the_arrays_that_are_there(self):
        model, state = Net(), Net().state_dict()
        before = {name: parameter.data for name, parameter in model.named_parameters()}
        model.load_state_dict(state)
        state["scale"][0] = 99
        for name, parameter in model.named_parameters():
            assert np.shares_memory(parameter.data, before[name])
        assert model.scale.data[0] == 1

    def test_lists_and_tensors_load_too(self):
        layer = Linear(2, 1)
        layer.load_state_dict({"weight": [[1, 2]], "bias": Tensor([3])})
        np.testing.assert_array_equal(layer(Tensor([[1, 1]])).data, [[6]])

    def test_all_differences_are_named_and_nothing_changes(self):
        model = Net(blocks=1)
        before = model.state_dict()
        state = model.state_dict()
        del state["mean"]
        state["heads.0.weight"] = np.zeros((4, 3))
        state["extra"] = np.zeros(1)
        state["scale"] += 1
        with pytest.raises(ValueError) as raised:
            model.load_state_dict(state)
        for words in ("missing: mean", "unexpected: extra", "heads.0.weight", "(4, 3)", "(3, 4)"):
            assert words in str(raised.value)
        assert "scale" not in str(raised.value)
        for name, array in model.state_dict().items():
            np.testing.assert_array_equal(array, before[name])

    def test_a_buffer_is_state_and_not_a_parameter(self):
        model = Net(blocks=1)
        source = np.array([1.0, 2.0])
        model.heads[0].register_buffer("count", source)
        source[0] = 9
        assert model.heads[0].count.dtype == np.float32
        assert "heads.0.count" not in dict(model.named_parameters())
        assert set(model.state_dict()) - set(dict(model.named_parameters())) == {"mean", "heads.0.count"}
        np.testing.assert_array_equal(model.state_dict()["heads.0.count"], [1, 2])

    def test_a_buffer_of_whole_numbers_or_booleans_keeps_its_type(self, tmp_path):
        model, twin = Net(blocks=1), Net(blocks=1)
        codes, mask = np.int8([-128, 127]), np.array([True, False])
        for net, start in ((model, 1), (twin, 0)):
            net.register_buffer("codes", codes * np.int8(start))
            net.register_buffer("mask", mask & bool(start))
            net.register_buffer("place", np.array([2**24 + start]))  # a float32 would round it
        save(model.state_dict(), tmp_path / "state.npz")
        twin.load_state_dict(load(tmp_path / "state.npz"))
        assert [twin.codes.dtype, twin.mask.dtype, twin.place.dtype] == [np.int8, bool, np.int64]
        np.testing.assert_array_equal(twin.codes, codes)
        np.testing.assert_array_equal(twin.mask, mask)
        assert twin.place[0] == 2**24 + 1

    @pytest.mark.parametrize("numbers", [[0.5, 1], [128, 0], [np.nan, 0]], ids=str)
    def test_numbers_that_a_buffer_cannot_hold_are_refused(self, numbers):
        model = Net(blocks=1)
        model.register_buffer("codes", np.int8([3, 4]))
        with pytest.raises(ValueError, match="codes holds int8 in the model"):
            model.load_state_dict(model.state_dict() | {"codes": numbers})
        np.testing.assert_array_equal(model.codes, [3, 4])

    def test_a_buffer_that_is_replaced_is_the_state(self):
        model = Net()
        model.mean = model.mean + np.float32(2)
        np.testing.assert_array_equal(model.state_dict()["mean"], [2, 2, 2, 2])

    def test_buffers_belong_to_one_instance(self):
        first, second = Linear(2, 2), Linear(2, 2)
        first.register_buffer("count", 0)
        first.register_buffer("count", 1)
        assert first._buffers == ("count",)
        assert "count" not in second.state_dict()

    @pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
    def test_copies_are_independent(self, duplicate):
        model = Net()
        twin = duplicate(model)
        twin.scale.data[0] = 7
        twin.mean[0] = 7
        assert model.scale.data[0] == 1
        assert model.mean[0] == 0
        assert isinstance(twin.scale, Parameter)
        assert list(twin.state_dict()) == list(model.state_dict())

    def test_a_copy_keeps_what_is_shared(self):
        model = Net(blocks=0)
        model.heads[1].weight = model.heads[0].weight
        twin = copy.deepcopy(model)
        assert twin.heads[1].weight is twin.heads[0].weight
        assert len(twin.parameters()) == len(model.parameters())


class TestModule:
    def test_train_and_eval_reach_everything(self):
        model = Net()
        assert all(module.training for _, module in model.named_modules())
        assert model.eval() is model
        assert not any(module.training for _, module in model.named_modules())
        assert model.train() is model
        assert all(module.training for _, module in model.named_modules())
        assert Net().training

    def test_zero_grad_forgets_every_gradient(self):
        model = Net()
        for parameter in model.parameters():
            parameter.grad = np.ones(parameter.shape, dtype=np.float32)
        model.zero_grad()
        assert all(parameter.grad is None for parameter in model.parameters())

    def test_without_forward_it_says_so(self):
        class Empty(Module):
            pass

        with pytest.raises(NotImplementedError, match=r"Empty .*define forward"):
            Empty()(Tensor([1.0]))

    def test_a_call_passes_everything_on(self):
        class Sum(Module):
            def forward(self, *inputs, scale=1):
                return sum(inputs) * scale

        assert Sum()(1, 2, scale=10) == 30

    def test_repr_is_a_tree(self):
        assert repr(Net(blocks=1)) == "\n".join(
            [
                "Net(",
                "  (blocks.0): Block(",
                "    (first): Linear(in_features=4, out_features=8, bias=True)",
                "    (second): Linear(in_features=8, out_features=4, bias=False)",
                "  )",
                "  (heads.0): Linear(in_features=4, out_features=3, bias=True)",
                "  (heads.1): Linear(in_features=4, out_features=2, bias=True)",
                "  (gaps): Dropout(p=0.5)",
                ")",
            ]
        )
        assert repr(Module()) == "Module()"

    def test_a_model_is_freed_without_the_collector(self, objects_left):
        assert objects_left(lambda: Net(blocks=3).state_dict(), times=50) < 50


class TestDropout:
    SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5)

    @given(SHAPES, st.floats(0, 0.99), st.integers(0, 99))
    def test_each_element_is_dropped_or_scaled(self, shape, p, seed):
        manual_seed(seed)
        x = normal(*shape, seed=seed) + 10
        got = dropout(Tensor(x), p).data
        assert got.shape == x.shape
        assert got.dtype == np.float32
        kept = got != 0
        np.testing.assert_allclose(got[kept], (x / np.float32(1 - p))[kept], rtol=1e-5)

    @pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
    def test_the_share_and_the_mean(self, p):
        manual_seed(1)
        n = 100_000
        got = dropout(Tensor(np.ones(n)), p).data
        error = (p * (1 - p) / n) ** 0.5
        assert abs(np.mean(got == 0) - p) < 5 * error
        assert abs(got.mean() - 1) < 5 * error / (1 - p)

    def test_nothing_to_do_returns_x_itself(self):
        x = Tensor([1.0, 2.0])
        assert dropout(x, 0.5, training=False) is x
        assert dropout(x, 0) is x
        assert Dropout().eval()(x) is x

    def test_a_seed_repeats_the_mask(self):
        x = Tensor(np.ones(1000))
        manual_seed(5)
        first, second = dropout(x).data, dropout(x).data
        manual_seed(5)
        np.testing.assert_array_equal(dropout(x).data, first)
        assert (first != second).any()

    @pytest.mark.parametrize("p", [1.001, -0.1, 2, float("nan")])
    def test_p_outside_its_range_is_refused(self, p):
        with pytest.raises(ValueError, match="from 0 to 1"):
            dropout(Tensor([1.0]), p)
        with pytest.raises(ValueError, match="from 0 to 1"):
            Dropout(p)

    def test_p_of_one_drops_everything(self):
        np.testing.assert_array_equal(Dropout(1.0)(Tensor([1.0, 2.0])).data, [0, 0])


class TestStackTogether:
    def test_a_model_is_its_formula(self):
        model = Net(blocks=2).eval()
        x = normal(3, 5, 4)
        expected = x.astype(np.float64)
        for block in model.blocks:
            hidden = np.maximum(expected @ block.first.weight.data.T + block.first.bias.data, 0)
            expected = expected + hidden @ block.second.weight.data.T
        expected = expected * model.scale.data @ model.heads[0].weight.data.T + model.heads[0].bias.data
        np.testing.assert_allclose(model(Tensor(x)).data, expected, rtol=1e-4, atol=1e-5)

    def test_a_model_without_a_bend_is_one_matrix(self):
        first, second = Linear(5, 7), Linear(7, 2)
        x = normal(4, 5)
        weight = second.weight.data @ first.weight.data
        bias = second.weight.data @ first.bias.data + second.bias.data
        np.testing.assert_allclose(second(first(Tensor(x))).data, x @ weight.T + bias, rtol=1e-4, atol=1e-5)

    def test_training_makes_noise_and_evaluation_does_not(self):
        model, x = Net(), Tensor(normal(6, 4))
        manual_seed(2)
        assert (model(x).data != model(x).data).any()
        model.eval()
        np.testing.assert_array_equal(model(x).data, model(x).data)

    def test_one_seed_makes_one_model(self):
        manual_seed(4)
        first = Net().state_dict()
        manual_seed(4)
        for name, array in Net().state_dict().items():
            np.testing.assert_array_equal(array, first[name])
