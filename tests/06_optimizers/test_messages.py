"""Mistakes that everybody makes once are answered at once, and by name."""

import numpy as np
import pytest

import tinytorch
from tinytorch import nn, optim
from tinytorch.core.layers import Dropout, Linear, Module, ModuleDict, ModuleList, Parameter
from tinytorch.core.tensor import Tensor


class NoReturn(Module):
    def __init__(self):
        self.layer = Linear(2, 2)

    def forward(self, x):
        self.layer(x)


class InADict(Module):
    def __init__(self, container=dict):
        self.layers = container({"a": Linear(2, 3), "b": [Linear(3, 1, bias=False)]})

    def forward(self, x):
        return self.layers["b"][0](self.layers["a"](x))


class TestMessages:
    def test_a_model_without_return(self):
        with pytest.raises(TypeError, match=r"NoReturn\.forward returned None: is a `return` missing"):
            NoReturn()(Tensor([1.0, 2.0]))

    @pytest.mark.parametrize("given", [lambda net: net, lambda net: net.parameters])
    def test_a_model_in_place_of_its_parameters(self, given):
        for kind in (optim.SGD, optim.Adam):
            with pytest.raises(TypeError, match=rf"{kind.__name__}\(model\.parameters\(\), \.\.\.\)"):
                kind(given(Linear(2, 2)), lr=0.1)

    @pytest.mark.parametrize("factor", [3, 2.5, np.float32(1)])
    def test_a_matrix_times_a_number(self, factor):
        with pytest.raises(TypeError, match=r"a number multiplies with \*"):
            Tensor([[1.0]]) @ factor

    def test_a_formatted_loss(self):
        assert f"{Tensor(0.123456):.4f}" == "0.1235"
        assert f"{Tensor([[0.5]]):8.3f}" == "   0.500"
        assert f"{Tensor(1.0)}" == "Tensor(1.)"

    @pytest.mark.parametrize(
        "place, name, said",
        [
            (nn, "Relu", "did you mean ReLU?"),
            (nn, "linear", "did you mean Linear?"),
            (optim, "Adma", "did you mean Adam?"),
            (nn.functional, "cross_entrpy", "did you mean cross_entropy?"),
            (nn, "Sequential", "a class whose forward shows each step"),
            (tinytorch, "tensr", "did you mean tensor?"),
            (tinytorch, "sum", "x.sum(...)"),
            (Linear(2, 2), "wieght", "did you mean weight?"),
            (Linear(2, 2), "cuda", "one device"),
            (Tensor(1.0), "cuda", "one device"),
        ],
    )
    def test_a_name_that_is_near(self, place, name, said):
        with pytest.raises(AttributeError) as error:
            getattr(place, name)
        assert said in str(error.value)
        assert not hasattr(place, f"{name}_nobody_has")


class TestContainers:
    @pytest.mark.parametrize("container", [dict, ModuleDict])
    def test_layers_in_a_dict_are_found(self, container):
        net = InADict(container)
        assert list(net.state_dict()) == ["layers.a.weight", "layers.a.bias", "layers.b.0.weight"]
        other = InADict(container)
        other.load_state_dict(net.state_dict())
        np.testing.assert_array_equal(other(Tensor([1.0, 2.0])).data, net(Tensor([1.0, 2.0])).data)
        assert not net.eval().layers["a"].training

    def test_a_module_list(self):
        net = Module()
        net.layers = ModuleList([Linear(2, 2)])
        net.layers.append(Linear(2, 1))
        assert [path for path, _ in net.named_parameters()] == [
            f"layers.{i}.{n}" for i in (0, 1) for n in ("weight", "bias")
        ]

    def test_a_state_of_which_only_part_fits(self):
        net = Linear(2, 1)
        net.load_state_dict({"weight": [[5, 6]], "extra": [1]}, strict=False)
        assert net.weight.tolist() == [[5, 6]]
        with pytest.raises(ValueError, match=r"\(1, 3\).*\(1, 2\)"):
            net.load_state_dict({"weight": [[5, 6, 7]]}, strict=False)


class TestInit:
    def test_variances(self):
        tinytorch.manual_seed(0)
        w = Parameter(np.zeros((300, 200)))
        for fill, std in [
            (nn.init.xavier_uniform_, (2 / 500) ** 0.5),
            (nn.init.xavier_normal_, (2 / 500) ** 0.5),
            (nn.init.kaiming_uniform_, 0.1),
            (lambda p: nn.init.kaiming_normal_(p, mode="fan_out", nonlinearity="relu"), (2 / 300) ** 0.5),
            (lambda p: nn.init.normal_(p, std=0.3), 0.3),
            (lambda p: nn.init.uniform_(p, -3, 3), 3**0.5),
        ]:
            assert fill(w) is w
            assert w.data.std() == pytest.approx(std, rel=0.02)
            assert abs(w.data.mean()) < 0.02
        with pytest.raises(ValueError, match="two axes"):
            nn.init.xavier_uniform_(Parameter([1.0]))

    def test_saving_and_loading(self, tmp_path):
        net, other = Linear(3, 2), Linear(3, 2)
        tinytorch.save(net.state_dict(), tmp_path / "net.npz")
        other.load_state_dict(tinytorch.load(tmp_path / "net.npz"))
        np.testing.assert_array_equal(other.weight.data, net.weight.data)
        assert [path.name for path in tmp_path.iterdir()] == ["net.npz"]
        with pytest.raises(TypeError, match=r"Trainer\.save"):
            tinytorch.save({"model": net.state_dict()}, tmp_path / "run.npz")

    def test_dropout_of_everything(self):
        assert Dropout(1.0)(Tensor([1.0, 2.0])).tolist() == [0, 0]
