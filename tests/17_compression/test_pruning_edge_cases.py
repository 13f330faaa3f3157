"""Where pruning goes wrong in silence: shared weights, zeros that come back, the ends of the scale, wrong input."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinytorch import Tensor, load, manual_seed, nn, optim, save
from tinytorch.core.layers import Parameter
from tinytorch.core.tensor import ShapeError
from tinytorch.nn import functional as F
from tinytorch.optimization.compression import (
    KnowledgeDistillation,
    LowRankLinear,
    SparseLinear,
    compress_model,
    forget_masks,
    global_masks,
    low_rank_approximate,
    magnitude_mask,
    magnitude_prune,
    measure_sparsity,
    set_mask,
    strongest_rows,
    structured_prune,
)

TABLES = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=1, max_dims=4, max_side=6), elements=st.floats(-9, 9, width=32)
)
SHARES = st.floats(0, 1)
OPTIMIZERS = {
    "SGD": lambda p: optim.SGD(p, lr=0.1),
    "SGD with momentum and decay": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.1),
    "Nesterov": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.01, weight_decay=0.1),
    "Adam": lambda p: optim.Adam(p, lr=0.01, weight_decay=0.1),
    "AdamW": lambda p: optim.AdamW(p, lr=0.01, weight_decay=0.1),
}


class Twins(nn.Module):
    """Two layers with one weight."""

    def __init__(self, size_in: int = 100, size_out: int = 50) -> None:
        self.layer1, self.layer2 = nn.Linear(size_in, size_out), nn.Linear(size_in, size_out)
        self.layer2.weight = self.layer1.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.layer1(x) + self.layer2(x)


def zeros_of(model: nn.Module) -> list[np.ndarray]:
    return [p.data == 0 for p in model.parameters() if p.ndim > 1]


class TestSharedWeightReferences:
    def test_pruning_with_shared_weights(self):
        """The audit's own sample."""
        model = Twins()
        layer1, layer2 = model.layer1, model.layer2
        original = id(layer1.weight)
        assert id(layer2.weight) == original
        magnitude_prune(model, sparsity=0.6)
        assert id(layer1.weight) == id(layer2.weight) == original
        np.testing.assert_array_equal(layer1.weight.data, layer2.weight.data)
        assert (layer1.weight.data == 0).mean() == pytest.approx(0.6)
        layer2.bias.data[...] = layer1.bias.data
        x = Tensor(np.random.default_rng(0).normal(size=(10, 100)))
        np.testing.assert_array_equal(layer1(x).data, layer2(x).data)

    def test_shared_weight_counts_once(self):
        model = Twins(10, 10)
        model.other = nn.Linear(10, 10)
        model.layer1.weight.data[...] = 0
        assert measure_sparsity(model) == 0.5

    def test_one_mask_for_both_and_later_masks_narrow_it(self):
        model = magnitude_prune(Twins(), 0.5)
        mask = model.layer1.weight.mask
        magnitude_prune(model.layer2, 0.8)  # through the other owner
        assert model.layer1.weight.mask is mask is model.layer1.weight_mask
        assert (~mask).mean() == pytest.approx(0.8)

    def test_gradients_flow_through_both_uses(self):
        model = magnitude_prune(Twins(3, 2), 0.5)
        x = Tensor(np.float32([[1, 2, 3]]))
        model(x).sum().backward()
        np.testing.assert_allclose(model.layer1.weight.grad, 2 * np.tile([1, 2, 3], (2, 1)))

    def test_training_a_shared_pruned_weight_keeps_it_shared_and_sparse(self):
        model = magnitude_prune(Twins(20, 10), 0.7)
        adam, x = optim.Adam(model.parameters(), lr=0.01), Tensor(np.random.default_rng(1).normal(size=(8, 20)))
        for _ in range(5):
            adam.zero_grad()
            (model(x) ** 2).mean().backward()
            adam.step()
        assert model.layer1.weight is model.layer2.weight
        assert measure_sparsity(model) == pytest.approx(0.7)

    def test_deepcopy_shares_within_the_copy_and_not_with_the_original(self):
        model = magnitude_prune(Twins(), 0.5)
        twin = copy.deepcopy(model)
        assert twin.layer1.weight is twin.layer2.weight
        assert twin.layer1.weight.mask is twin.layer1.weight_mask
        assert not np.shares_memory(twin.layer1.weight.mask, model.layer1.weight.mask)

    def test_a_tied_weight_does_not_shrink_or_become_sparse_for_one(self):
        model = Twins(10, 10)
        with pytest.raises(ValueError, match="share"):
            structured_prune(model, 0.5, readers={"layer1": "layer2"})
        magnitude_prune(model, 0.9)
        compress_model(model, {"sparse": True})
        assert model.layer1.weight is model.layer2.weight

    def test_tied_embedding_of_a_gpt_stays_tied(self):
        from tinytorch.models import GPT

        model = magnitude_prune(GPT(20, 8, 16, 1, 2, seed=0), 0.5)
        assert [path for path, _ in model.named_parameters()].count("embedding.weight") == 1
        before = model.embedding.weight
        F.cross_entropy(model([[1, 2, 3]]), np.array([[2, 3, 4]])).backward()
        optim.AdamW(model.parameters(), lr=0.01).step()
        assert model.embedding.weight is before
        assert measure_sparsity(model) == pytest.approx(0.5, abs=1e-3)


class TestTrainingAfterPruning:
    @pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
    def test_zeros_stay_with_a_memory_from_before_and_the_others_move(self, make):
        manual_seed(1)
        rng = np.random.default_rng(0)
        model, x, y = Twins(12, 6), Tensor(rng.normal(size=(32, 12))), rng.normal(size=(32, 6))
        target = Tensor(y)
        optimizer, losses = make(model.parameters()), []
        for step in range(25):
            if step == 5:
                magnitude_prune(model, 0.6)
                gone, before = model.layer1.weight.data == 0, model.layer1.weight.data.copy()
            model.zero_grad()
            error = F.mse_loss(model(x), target)
            error.backward()
            optimizer.step()
            losses.append(error.item())
            if step >= 5:
                assert not model.layer1.weight.data[gone].any()
        assert gone.mean() == pytest.approx(0.6, abs=0.01)
        assert (model.layer1.weight.data[~gone] != before[~gone]).all()
        assert losses[-1] < losses[5]

    def test_without_a_mask_they_come_back(self):
        """What the mask is for: the same steps, masks forgotten."""
        model = forget_masks(magnitude_prune(Twins(12, 6), 0.6))
        assert model.layer1.weight.mask is None and "layer1.weight_mask" not in model.state_dict()
        x = Tensor(np.random.default_rng(0).normal(size=(8, 12)))
        (model(x) ** 2).mean().backward()
        optim.SGD(model.parameters(), lr=0.1).step()
        assert measure_sparsity(model) == 0

    def test_accuracy_recovers(self, school, mlp):
        before = school.right(mlp)
        magnitude_prune(mlp, 0.8)
        pruned = school.right(mlp)
        losses = school.fit(mlp, 4)
        assert school.right(mlp) > max(pruned, before - 0.03)
        assert np.mean(losses[-10:]) < np.mean(losses[:10])
        assert measure_sparsity(mlp) == pytest.approx(0.8, abs=1e-3)

    def test_a_state_carries_the_masks(self, tmp_path):
        model = magnitude_prune(Twins(), 0.7)
        save(model.state_dict(), tmp_path / "model.npz")
        fresh = magnitude_prune(Twins(), 0.0)  # masks that say yes to everything
        fresh.load_state_dict(load(tmp_path / "model.npz"))
        np.testing.assert_array_equal(fresh.layer1.weight.mask, model.layer1.weight.mask)
        (fresh(Tensor(np.ones((2, 100)))) ** 2).mean().backward()
        optim.Adam(fresh.parameters()).step()
        assert measure_sparsity(fresh) == pytest.approx(0.7)

    def test_a_state_without_masks_is_refused_whole(self):
        model, dense = magnitude_prune(Twins(), 0.7), Twins()
        before = model.state_dict()
        with pytest.raises(ValueError, match="weight_mask"):
            model.load_state_dict(dense.state_dict())
        np.testing.assert_array_equal(model.state_dict()["layer1.weight"], before["layer1.weight"])

    def test_pickle_keeps_mask_and_buffer_one(self):
        model = pickle.loads(pickle.dumps(magnitude_prune(Twins(), 0.5)))
        assert model.layer1.weight.mask is model.layer1.weight_mask
        assert (~model.layer1.weight.mask).mean() == pytest.approx(0.5)

    def test_a_copied_parameter_has_its_own_mask(self):
        layer = magnitude_prune(nn.Linear(4, 4), 0.5)
        twin = copy.deepcopy(layer.weight)
        assert type(twin) is Parameter and (twin.mask == layer.weight.mask).all()
        twin.mask[...] = False
        assert layer.weight.mask.any()

    def test_weights_in_a_list_keep_their_masks_too(self):
        model = nn.Module()
        model.tables = [Parameter(np.arange(1, 7).reshape(2, 3)), Parameter(np.arange(7, 13).reshape(2, 3))]
        magnitude_prune(model, 0.5)
        assert set(model.state_dict()) >= {"tables.0_mask", "tables.1_mask"}
        assert not model.tables[0].data.any() and model.tables[1].data.all()


class TestExtremeSparsity:
    def test_zero_changes_nothing_but_gives_masks(self):
        model = Twins()
        before = model.layer1.weight.data.copy()
        magnitude_prune(model, 0)
        np.testing.assert_array_equal(model.layer1.weight.data, before)
        assert model.layer1.weight.mask.all()

    def test_one_removes_everything_and_still_answers(self):
        model = magnitude_prune(Twins(), 1.0)
        assert measure_sparsity(model) == 1.0
        out = model(Tensor(np.ones((3, 100))))
        np.testing.assert_allclose(out.data, np.tile(model.layer1.bias.data + model.layer2.bias.data, (3, 1)))
        out.sum().backward()
        assert np.isfinite(model.layer1.weight.grad).all()

    def test_structured_ends(self):
        assert measure_sparsity(structured_prune(nn.Linear(5, 4), 0.0)) == 0.0
        layer = structured_prune(nn.Linear(5, 4), 1.0)
        assert measure_sparsity(layer) == 1.0 and not layer.bias.data.any()

    def test_removing_all_outputs_is_refused_and_changes_nothing(self, cnn):
        before = cnn.state_dict()
        with pytest.raises(ValueError, match="none of its outputs"):
            structured_prune(cnn, 1.0, readers={"conv1": ["norm1", "conv2"]})
        assert all((cnn.state_dict()[path] == array).all() for path, array in before.items())

    def test_equal_weights_lose_exactly_their_share(self):
        layer = nn.Linear(10, 10)
        layer.weight.data[...] = 0.5
        assert measure_sparsity(magnitude_prune(layer, 0.37)) == 0.37

    def test_a_lower_sparsity_later_brings_nothing_back(self):
        layer = magnitude_prune(nn.Linear(20, 20), 0.9)
        assert measure_sparsity(magnitude_prune(layer, 0.1)) == 0.9

    def test_sparse_layers_of_nothing_and_of_everything(self):
        x = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
        for weight in (np.zeros((5, 4)), np.ones((5, 4)), np.eye(1, 4)):
            for engine in ("numpy", None):
                layer = SparseLinear(weight, np.zeros(len(weight)), engine)
                np.testing.assert_allclose(layer(Tensor(x)).data, x @ weight.T, rtol=1e-5)
                np.testing.assert_array_equal(layer.to_dense(), weight)
                assert layer(Tensor(x[:0])).shape == (0, len(weight))

    def test_rank_one_at_least_and_full_rank_is_the_matrix(self):
        weight = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
        assert low_rank_approximate(weight, 0.0)[1].shape == (1,)
        U, S, V = low_rank_approximate(weight, 1.0)
        np.testing.assert_allclose(U * S @ V, weight, atol=1e-5)


class TestInvalidInputHandling:
    @pytest.mark.parametrize("share", [-0.1, 1.1, float("nan"), float("inf"), -np.float32(1)])
    def test_shares_outside_0_to_1(self, share):
        for call in (magnitude_prune, structured_prune):
            layer = nn.Linear(4, 4)
            with pytest.raises(ValueError, match="from 0 to 1"):
                call(layer, share)
            assert layer.weight.mask is None and layer.weight.data.all()
        with pytest.raises(ValueError, match="rank_ratio"):
            low_rank_approximate(np.ones((2, 2)), share)

    @pytest.mark.parametrize("share", ["0.5", None, True, [0.5]])
    def test_shares_that_are_no_numbers(self, share):
        with pytest.raises(TypeError, match="sparsity"):
            magnitude_prune(nn.Linear(4, 4), share)

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_weights_that_are_not_finite(self, bad):
        model = Twins()
        model.layer1.weight.data[0, 0] = bad
        for call in (magnitude_prune, structured_prune):
            with pytest.raises(ValueError, match=r"layer1.weight.*not finite"):
                call(model, 0.5)
        with pytest.raises(ValueError, match="not finite"):
            low_rank_approximate(model.layer1.weight.data)

    def test_models_without_weights(self):
        for model in (nn.Module(), nn.Dropout(), nn.BatchNorm2d(3)):
            assert measure_sparsity(model) == 0.0
            for call in (magnitude_prune, structured_prune):
                with pytest.raises(ValueError, match="no weights to prune"):
                    call(model, 0.5)
            with pytest.raises(ValueError, match="no weights to prune"):
                compress_model(model, {"magnitude_prune": 0.5})

    @pytest.mark.parametrize("call", [lambda m: magnitude_prune(m, 0.5), forget_masks, measure_sparsity])
    @pytest.mark.parametrize("model", [np.ones((2, 2)), None, nn.ReLU()], ids=["array", "None", "activation"])
    def test_what_is_no_module(self, call, model):
        with pytest.raises(TypeError, match=f"Module, not a {type(model).__name__}"):
            call(model)

    def test_exclude(self):
        model = Twins()
        model.output = nn.Linear(50, 10)
        magnitude_prune(model, 0.5, exclude=["output"])
        assert model.output.weight.data.all() and model.output.weight.mask is None
        with pytest.raises(ValueError, match="no weight at 'outptu'"):
            magnitude_prune(model, 0.5, exclude=["outptu"])
        with pytest.raises(TypeError, match="list"):
            magnitude_prune(model, 0.5, exclude="output")

    def test_a_weight_that_a_graph_waits_for(self):
        model = Twins()
        loss = (model(Tensor(np.ones((2, 100)))) ** 2).sum()
        with pytest.raises(ValueError, match="backward"):
            magnitude_prune(model, 0.5)
        loss.backward()
        assert measure_sparsity(magnitude_prune(model, 0.5)) == 0.5

    @pytest.mark.parametrize(
        ("config", "error", "says"),
        [
            ({"magnitude": 0.5}, ValueError, "magnitude"),
            ({}, ValueError, "empty"),
            (0.5, TypeError, "dict"),
            ({"magnitude_prune": 2}, ValueError, "from 0 to 1"),
            ({"magnitude_prune": "much"}, TypeError, "sparsity"),
            ({"structured_prune": {"readers": {}}}, ValueError, "prune_ratio"),
            ({"sparse": 0.5}, TypeError, "True or False"),
            ({"magnitude_prune": {"sparsity": 0.5, "speed": 1}}, TypeError, "speed"),
        ],
    )
    def test_configs(self, mlp, config, error, says):
        before = mlp.state_dict()
        with pytest.raises(error, match=says):
            compress_model(mlp, config)
        assert {path: array.tobytes() for path, array in mlp.state_dict().items()} == {
            path: array.tobytes() for path, array in before.items()
        }

    @pytest.mark.parametrize(
        ("readers", "error"),
        [
            ({"conv3": ["conv2"]}, "no module 'conv3'"),
            ({"conv1": ["conv9"]}, "no module 'conv9'"),
            ({"conv1": ["norm1"]}, "reads its outputs"),
            ({"conv1": []}, "reads its outputs"),
            ({"conv1": ["pool"]}, "MaxPool2d"),
            ({"norm1": ["conv2"]}, "reads its outputs"),
            ({"conv1": ["output"], "conv2": ["output"]}, "reads two others"),
            ({"conv2": ["conv1"]}, "multiple"),
        ],
    )
    def test_readers(self, cnn, readers, error):
        shapes = {path: p.shape for path, p in cnn.named_parameters()}
        with pytest.raises((ValueError, TypeError), match=error):
            structured_prune(cnn, 0.5, readers=readers)
        assert {path: p.shape for path, p in cnn.named_parameters()} == shapes

    @pytest.mark.parametrize(
        ("readers", "circle"),
        [
            ({"conv1": ["conv1"]}, "conv1 -> conv1"),
            ({"conv1": ["norm1", "conv2"], "conv2": ["conv1"]}, "conv1 -> conv2 -> conv1"),
            ({"conv1": "conv2", "conv2": ["conv3"], "conv3": "conv1"}, "conv1 -> conv2 -> conv3 -> conv1"),
        ],
    )
    def test_readers_in_a_circle(self, cnn, readers, circle):
        cnn.conv1, cnn.conv3 = nn.Conv2d(12, 8, 3), nn.Conv2d(12, 12, 3)
        before = cnn.state_dict()
        with pytest.raises(ValueError, match=f"readers: {circle} is a circle"):
            structured_prune(cnn, 0.5, readers=readers)
        assert {path: array.tobytes() for path, array in cnn.state_dict().items()} == {
            path: array.tobytes() for path, array in before.items()
        }

    def test_readers_that_are_no_dict(self, cnn):
        with pytest.raises(TypeError, match="readers is a dict"):
            structured_prune(cnn, 0.5, readers=["conv1"])

    @pytest.mark.parametrize(
        "config",
        [
            {"low_rank": 0.2, "magnitude_prune": {"sparsity": 0.5, "exclude": ["hidden.weight"]}},
            {"structured_prune": 0.5, "low_rank": {"rank_ratio": 0.2, "exclude": ["outptu"]}},
            {"structured_prune": 0.5, "magnitude_prune": {"sparsity": 0.5, "per_layr": True}},
            {"structured_prune": 0.5, "low_rank": 0.2},
        ],
        ids=["a weight that goes", "a layer", "an option", "masks that would go"],
    )
    def test_what_a_later_step_refuses_is_refused_before_the_first(self, mlp, config):
        before = {path: array.tobytes() for path, array in mlp.state_dict().items()}
        seen = []
        with pytest.raises((ValueError, TypeError), match=r"exclude|per_layr|forget_masks"):
            compress_model(mlp, config, fine_tune=seen.append)
        assert type(mlp.hidden) is nn.Linear and mlp.hidden.weight.mask is None and not seen
        assert {path: array.tobytes() for path, array in mlp.state_dict().items()} == before

    @pytest.mark.parametrize("prune", [magnitude_prune, structured_prune])
    def test_thin_layers_do_not_lose_masks_in_silence(self, mlp, prune):
        prune(mlp, 0.5)
        with pytest.raises(ValueError, match=r"hidden\.weight has a mask.*forget_masks.*before"):
            compress_model(mlp, {"low_rank": 0.2})
        assert type(mlp.hidden) is nn.Linear and mlp.hidden.weight.mask is mlp.hidden.weight_mask
        compress_model(forget_masks(mlp), {"low_rank": 0.2})
        assert type(mlp.hidden) is LowRankLinear
        magnitude_prune(mlp, 0.5)
        assert measure_sparsity(mlp) == pytest.approx(0.5, abs=1e-3)

    def test_thin_layers_beside_masked_ones(self, mlp):
        magnitude_prune(mlp, 0.5, exclude=["hidden"])
        compress_model(mlp, {"low_rank": {"rank_ratio": 0.2, "exclude": ["output"]}})
        assert type(mlp.hidden) is LowRankLinear and mlp.output.weight.mask is mlp.output.weight_mask

    def test_a_sparse_layer_keeps_the_mask_of_its_bias(self, mlp, school):
        compress_model(mlp, {"structured_prune": 0.8, "sparse": True})
        gone = mlp.hidden.bias.data == 0
        assert type(mlp.hidden) is SparseLinear and gone.sum() == 26
        school.fit(mlp, 1, samples=200)
        np.testing.assert_array_equal(mlp.hidden.bias.data == 0, gone)
        assert mlp.hidden.bias.mask is mlp.hidden.bias_mask

    def test_grouped_convolutions_do_not_shrink(self):
        model = nn.Module()
        model.first, model.second = nn.Conv2d(4, 4, 3, groups=2), nn.Conv2d(4, 4, 3)
        with pytest.raises(ValueError, match="groups"):
            structured_prune(model, 0.5, readers={"first": "second"})

    def test_sparse_layers(self):
        with pytest.raises(ShapeError, match="shape"):
            SparseLinear(np.ones(3))
        with pytest.raises(ShapeError, match="bias"):
            SparseLinear(np.ones((2, 3)), np.ones(3))
        with pytest.raises(ShapeError, match="end in 3"):
            SparseLinear(np.ones((2, 3)))(Tensor(np.ones((2, 4))))
        with pytest.raises(ValueError, match="engine"):
            SparseLinear(np.ones((2, 3)), engine="magic")
        with pytest.raises(ValueError, match="single Linear"):
            compress_model(nn.Linear(4, 4), {"magnitude_prune": 0.9, "sparse": True})

    def test_low_rank_of_what_is_no_matrix(self):
        for shape in ((3,), (2, 2, 2), (0, 3)):
            with pytest.raises(ShapeError):
                low_rank_approximate(np.ones(shape))
        with pytest.raises(TypeError, match=r"array, not a Tensor.*\.data"):
            low_rank_approximate(Tensor(np.ones((2, 3))))
        assert LowRankLinear.from_linear(nn.Linear(8, 8, bias=False), 0.5).bias is None
        for bias in (np.ones(3), np.ones((1, 2)), 1.0):
            with pytest.raises(ShapeError, match=r"LowRankLinear: a bias of shape .* for 2 outputs"):
                LowRankLinear(np.ones((2, 3)), bias)

    def test_distillation(self):
        teacher, student = nn.Linear(4, 3), nn.Linear(4, 3)
        for temperature in (0, -1, float("nan"), float("inf")):
            with pytest.raises(ValueError, match="temperature"):
                KnowledgeDistillation(teacher, student, temperature=temperature)
        for alpha in (-0.1, 1.5, float("nan")):
            with pytest.raises(ValueError, match="alpha"):
                KnowledgeDistillation(teacher, student, alpha=alpha)
        with pytest.raises(ValueError, match="one network"):
            KnowledgeDistillation(teacher, teacher)
        with pytest.raises(TypeError, match="teacher"):
            KnowledgeDistillation(None, student)
        holder = nn.Module()
        holder.own, holder.teacher = nn.Linear(4, 3), teacher
        tied = nn.Linear(4, 3)
        tied.weight = teacher.weight
        norms = [nn.Module(), nn.Module()]
        norms[0].norm = norms[1].norm = nn.BatchNorm2d(3, affine=False)
        for first, second in ((teacher, holder), (holder, teacher), (teacher, tied), norms):
            with pytest.raises(ValueError, match=r"share.*copy\.deepcopy"):
                KnowledgeDistillation(first, second)
        with pytest.raises(ShapeError, match="student answers"):
            KnowledgeDistillation(teacher, nn.Linear(4, 2))(Tensor(np.ones((2, 4))), [0, 1])
        with pytest.raises(IndexError):
            KnowledgeDistillation(teacher, student)(Tensor(np.ones((2, 4))), [0, 3])


class TestProperties:
    @given(TABLES, SHARES)
    def test_a_mask_removes_exactly_its_share_and_nothing_larger_than_it_keeps(self, table, share):
        mask = magnitude_mask(table, share)
        assert mask.shape == table.shape and mask.dtype == bool
        assert (~mask).sum() == round(share * table.size)
        if mask.any() and not mask.all():
            assert abs(table[~mask]).max() <= abs(table[mask]).min()

    @given(TABLES, SHARES, SHARES)
    def test_masks_are_nested(self, table, one, other):
        low, high = sorted((one, other))
        assert (magnitude_mask(table, high) <= magnitude_mask(table, low)).all()

    @given(st.lists(TABLES, min_size=1, max_size=4), SHARES)
    def test_global_masks_are_one_mask_cut_up(self, tables, share):
        masks = global_masks(tables, share)
        assert [mask.shape for mask in masks] == [table.shape for table in tables]
        whole = magnitude_mask(np.concatenate([table.ravel() for table in tables]), share)
        np.testing.assert_array_equal(np.concatenate([mask.ravel() for mask in masks]), whole)

    @given(TABLES, SHARES)
    def test_rows_that_stay_are_the_longest(self, table, share):
        kept = strongest_rows(table, share)
        assert len(kept) == len(table) - round(share * len(table)) and (np.diff(kept) > 0).all()
        lengths = np.linalg.norm(table.reshape(len(table), -1), axis=1)
        gone = np.setdiff1d(np.arange(len(table)), kept)
        if len(kept) and len(gone):
            assert lengths[gone].max() <= lengths[kept].min()

    @given(SHARES, SHARES, st.booleans())
    @settings(max_examples=40, deadline=None)
    def test_sparsity_never_falls(self, first, second, structured_first):
        layer, ways = nn.Linear(7, 9), [structured_prune, magnitude_prune]
        for way, share in zip(ways if structured_first else ways[::-1], (first, second), strict=True):
            before = measure_sparsity(layer)
            way(layer, share)
            assert measure_sparsity(layer) >= before
        assert measure_sparsity(layer) == pytest.approx((layer.weight.data == 0).mean())

    @given(hnp.arrays(bool, (4, 5)), hnp.arrays(bool, (4, 5)))
    @settings(deadline=None)
    def test_two_masks_are_their_intersection(self, one, other):
        layer = nn.Linear(5, 4)
        layer.weight.data[...] = 1
        set_mask(layer, "weight", one)
        set_mask(layer, "weight", other)
        np.testing.assert_array_equal(layer.weight.data != 0, one & other)
        np.testing.assert_array_equal(layer.state_dict()["weight_mask"], one & other)
