"""Compression at work: pruned networks answer and learn, figures agree, students learn from teachers, modules mix."""

import copy

import numpy as np
import pytest

from tinytorch import Tensor, Trainer, load, manual_seed, nn, no_grad, optim, save
from tinytorch.core.losses import log_softmax
from tinytorch.core.training import accuracy
from tinytorch.data import DataLoader, TensorDataset
from tinytorch.nn import functional as F
from tinytorch.optimization.compression import (
    CompressionComplete,
    CompressionReport,
    KnowledgeDistillation,
    LowRankLinear,
    SparseLinear,
    compress_model,
    distillation_loss,
    forget_masks,
    low_rank_approximate,
    magnitude_prune,
    measure_model,
    measure_sparsity,
    set_mask,
    strongest_rows,
    structured_prune,
)


def manual_sparsity(model: nn.Module) -> float:
    """Zeros over weights, counted by hand."""
    weights = [p.data for p in model.parameters() if p.ndim >= 2]
    return sum((w == 0).sum() for w in weights) / sum(w.size for w in weights)


def answers(model: nn.Module, x: Tensor) -> np.ndarray:
    with no_grad():
        return model.eval()(x).data


class TestPruningIntegration:
    def test_in_place_on_the_same_parameters(self, mlp):
        before = mlp.parameters()
        assert magnitude_prune(mlp, sparsity=0.7) is mlp
        assert all(old is new for old, new in zip(before, mlp.parameters(), strict=True))
        assert structured_prune(mlp, prune_ratio=0.3) is mlp

    @pytest.mark.parametrize("which", ["mlp", "cnn"])
    def test_pruned_model_inference_works(self, which, request, school):
        model = request.getfixturevalue(which)
        x = school.batch(model, np.arange(1400, 1500))
        baseline = answers(model, x)
        pruned = answers(magnitude_prune(model, sparsity=0.7), x)
        assert pruned.shape == baseline.shape and np.isfinite(pruned).all()
        assert 0 < np.abs(pruned - baseline).max() < 3 * np.abs(baseline).max()

    def test_a_small_sparsity_changes_little(self, mlp, school):
        x = school.batch(mlp, np.arange(1400, 1797))
        baseline = answers(mlp, x)
        pruned = answers(magnitude_prune(mlp, 0.1), x)
        assert np.abs(pruned - baseline).mean() < 0.05 * np.abs(baseline).mean()

    def test_one_threshold_for_all_or_one_for_each(self, mlp):
        twin = copy.deepcopy(mlp)
        twin.hidden.weight.data *= 0.01
        mlp.hidden.weight.data *= 0.01
        magnitude_prune(mlp, 0.5)
        magnitude_prune(twin, 0.5, per_layer=True)
        assert (mlp.output.weight.data == 0).mean() < 0.02 < 0.5 < (mlp.hidden.weight.data == 0).mean()
        assert [(p.data == 0).mean() for p in (twin.hidden.weight, twin.output.weight)] == [0.5, 0.5]

    def test_structured_vs_unstructured_interaction(self, cnn, school):
        x = school.batch(cnn, np.arange(20))
        magnitude_prune(cnn, sparsity=0.5)
        initial = measure_sparsity(cnn)
        structured_prune(cnn, prune_ratio=0.3)
        final = measure_sparsity(cnn)
        assert final > initial == pytest.approx(0.5, abs=1e-3)
        assert answers(cnn, x).shape == (20, 10)
        magnitude_prune(cnn, 0.2)
        assert measure_sparsity(cnn) == final

    def test_masked_rows_and_their_biases(self):
        layer = nn.Linear(6, 10)
        wanted = strongest_rows(layer.weight.data, 0.3)
        structured_prune(layer, 0.3)
        gone = np.setdiff1d(np.arange(10), wanted)
        assert not layer.weight.data[gone].any() and not layer.bias.data[gone].any()
        assert layer.weight.data[wanted].all() and layer.bias.data[wanted].all()
        out = layer(Tensor(np.ones((2, 6))))
        assert not out.data[:, gone].any()

    def test_removed_filters_equal_a_reader_that_does_not_look(self, cnn, school):
        """Removing channels is the same as zeros in whoever reads them; the arrays are smaller."""
        x = school.batch(cnn, np.arange(1400, 1450))
        blind, kept = copy.deepcopy(cnn), {}
        for name in ("conv1", "conv2"):
            kept[name] = strongest_rows(getattr(cnn, name).weight.data, 0.5)
        gone1, gone2 = np.setdiff1d(np.arange(8), kept["conv1"]), np.setdiff1d(np.arange(12), kept["conv2"])
        blind.conv2.weight.data[:, gone1] = 0
        blind.output.weight.data.reshape(10, 12, 4)[:, gone2] = 0
        for row in gone2:
            blind.output.weight.data[:, 4 * row : 4 * row + 4] = 0
        structured_prune(cnn, 0.5, readers=school.READERS)
        shapes = {path: p.shape for path, p in cnn.named_parameters()}
        assert shapes["conv1.weight"] == (4, 1, 3, 3) and shapes["conv2.weight"] == (6, 4, 3, 3)
        assert shapes["norm1.weight"] == (4,) and shapes["output.weight"] == (10, 24)
        assert cnn.norm2.running_mean.shape == (6,) and cnn.norm2.num_features == 6
        assert (cnn.conv2.in_channels, cnn.conv2.out_channels, cnn.output.in_features) == (4, 6, 24)
        np.testing.assert_allclose(answers(cnn, x), answers(blind, x), atol=1e-4)

    def test_a_shrunk_network_trains_on(self, cnn, school):
        """What the milestone of 2018 does: half of the filters, then some epochs of repair."""
        before = school.right(cnn)
        structured_prune(cnn, 0.5, readers=school.READERS)
        hurt = school.right(cnn)
        losses = school.fit(cnn, 3)
        assert school.right(cnn) > max(hurt + 0.3, before - 0.08)
        assert np.mean(losses[-10:]) < np.mean(losses[:10])

    def test_shrinking_carries_masks_along(self, cnn, school):
        magnitude_prune(cnn, 0.6)
        structured_prune(cnn, 0.25, readers=school.READERS)
        for layer in (cnn.conv1, cnn.conv2, cnn.output):
            assert layer.weight.mask is layer.weight_mask and layer.weight.mask.shape == layer.weight.shape
        zeros = [layer.weight.data == 0 for layer in (cnn.conv1, cnn.conv2, cnn.output)]
        assert all(zero.any() for zero in zeros)
        school.fit(cnn, 1, samples=200)
        for layer, zero in zip((cnn.conv1, cnn.conv2, cnn.output), zeros, strict=True):
            assert not layer.weight.data[zero].any()

    def test_magnitude_pruning_and_fine_tuning_of_the_cnn(self, cnn, school):
        before = school.right(cnn)
        magnitude_prune(cnn, 0.7)
        school.fit(cnn, 3)
        assert school.right(cnn) > before - 0.03
        assert measure_sparsity(cnn) == pytest.approx(0.7, abs=1e-3)

    def test_an_old_optimizer_of_a_shrunk_model_is_loud(self, cnn, school):
        adam = optim.AdamW(cnn.parameters(), lr=0.01)
        school.fit(cnn, 1, optimizer=adam, samples=50)
        structured_prune(cnn, 0.5, readers=school.READERS)
        with pytest.raises(ValueError, match=r"broadcast|shape"):
            school.fit(cnn, 1, optimizer=adam, samples=50)

    def test_the_pipeline_reports_what_it_did(self, mlp, school):
        before = measure_model(mlp, evaluate=school.right)
        config = {"sparse": True, "magnitude_prune": 0.8, "structured_prune": {"prune_ratio": 0.25, "readers":
                  {"hidden": "output"}}}  # fmt: skip
        report = compress_model(mlp, config, school.right, lambda model: school.fit(model, 2))
        assert isinstance(report, CompressionReport)
        assert [row.step for row in report.rows] == ["before", "structured_prune", "magnitude_prune", "sparse"]
        assert report.before.bytes == before.bytes and report.before.accuracy == before.accuracy
        now = measure_model(mlp, evaluate=school.right)
        assert (report.after.parameters, report.after.bytes) == (now.parameters, now.bytes)
        assert (report.after.sparsity, report.after.accuracy) == (now.sparsity, now.accuracy)
        assert report.rows[1].parameters == 64 * 24 + 24 + 24 * 10 + 10
        assert report.ratio == before.bytes / now.bytes > 3
        assert report.after.sparsity == pytest.approx(0.8, abs=1e-3)
        assert report.after.accuracy > before.accuracy - 0.06
        assert f"{report.after.bytes:,}" in str(report) and f"{report.after.accuracy:.1%}" in str(report)

    def test_without_evaluation_the_report_has_no_accuracy(self, mlp):
        report = compress_model(mlp, {"magnitude_prune": 0.5})
        assert report.after.accuracy is None and "right" not in str(report)

    def test_low_rank_step(self, mlp):
        weight = mlp.hidden.weight.data.copy()
        compress_model(mlp, {"low_rank": {"rank_ratio": 0.25, "exclude": ["output"]}})
        assert isinstance(mlp.hidden, LowRankLinear) and isinstance(mlp.output, nn.Linear)
        tail = np.linalg.svd(weight, compute_uv=False)[8:]
        error = np.linalg.norm(mlp.hidden.outer.data @ mlp.hidden.inner.data - weight)
        assert error == pytest.approx(np.sqrt((tail**2).sum()), rel=1e-3)


class TestLowRank:
    @pytest.mark.parametrize("shape", [(20, 30), (30, 20), (7, 7)])
    @pytest.mark.parametrize("ratio", [0.0, 0.3, 0.8])
    def test_error_is_the_tail_of_the_singular_values(self, shape, ratio):
        weight = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        U, S, V = low_rank_approximate(weight, ratio)
        tail = np.linalg.svd(weight, compute_uv=False)[len(S) :]
        assert np.linalg.norm(U * S @ V - weight) == pytest.approx(np.sqrt((tail**2).sum()), rel=1e-4)

    def test_the_layer_computes_with_its_factors_and_trains(self):
        layer = nn.Linear(40, 30)
        thin = LowRankLinear.from_linear(layer, 0.2)
        assert thin.inner.shape == (6, 40) and thin.outer.shape == (30, 6)
        assert sum(p.numel() for p in thin.parameters()) == 6 * 70 + 30 < 40 * 30
        x = np.random.default_rng(1).normal(size=(2, 5, 40)).astype(np.float32)
        U, S, V = low_rank_approximate(layer.weight.data, 0.2)
        np.testing.assert_allclose(thin(Tensor(x)).data, x @ (U * S @ V).T + layer.bias.data, atol=1e-5)
        adam, losses = optim.Adam(thin.parameters(), lr=0.01), []
        for _ in range(10):
            loss = ((thin(Tensor(x)) - 1) ** 2).mean()
            losses.append(loss.item())
            adam.zero_grad()
            loss.backward()
            adam.step()
        assert losses[-1] < 0.5 * losses[0]


class TestSparsityConsistency:
    @pytest.mark.parametrize("which", ["mlp", "cnn"])
    @pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.95, 1.0])
    def test_every_way_to_measure_agrees(self, which, share, request):
        from tinytorch.profiling.profiler import Profiler

        model = magnitude_prune(request.getfixturevalue(which), sparsity=share)
        wanted = manual_sparsity(model)
        assert wanted == pytest.approx(share, abs=1e-3)
        assert measure_sparsity(model) == pytest.approx(wanted, abs=1e-7)
        assert CompressionComplete.measure_sparsity(model) == pytest.approx(wanted, abs=1e-7)
        assert Profiler().measure_sparsity(model) == pytest.approx(wanted, abs=1e-7)
        assert measure_model(model).sparsity == pytest.approx(wanted, abs=1e-7)

    def test_as_csr_it_is_the_same_sparsity(self, mlp):
        magnitude_prune(mlp, 0.9)
        before = measure_sparsity(mlp)
        compress_model(mlp, {"sparse": True, "magnitude_prune": 0.0})
        assert isinstance(mlp.hidden, SparseLinear)
        assert measure_sparsity(mlp) == pytest.approx(before, abs=1e-7)

    def test_bytes_agree_with_the_profiler(self, mlp):
        from tinytorch.profiling.profiler import Profiler, model_bytes

        config = {"magnitude_prune": 0.9, "sparse": True}
        for model in (copy.deepcopy(mlp), magnitude_prune(copy.deepcopy(mlp), 0.5), compressed(mlp, config)):
            row = measure_model(model)
            assert row.bytes == model_bytes(model) == Profiler().model_bytes(model)
            assert row.parameters == Profiler().count_parameters(model)


def compressed(model: nn.Module, config: dict) -> nn.Module:
    compress_model(model, config)
    return model


class TestKnowledgeDistillation:
    STUDENT = Tensor([[1, 2, 0], [0, 0, 3], [1, 1, 1], [2, 0, 1]])
    TEACHER = Tensor([[9, 5, 1], [0, 1, 2], [3, 0, 0], [1, 1, 4]])
    LABELS = np.array([0, 1, 2, 2])

    def pair(self, **options):
        return KnowledgeDistillation(nn.Linear(4, 3), nn.Linear(4, 3), **options)

    def test_loss_is_a_positive_finite_scalar(self):
        loss = self.pair(temperature=3.0, alpha=0.7).distillation_loss(self.STUDENT, self.TEACHER, self.LABELS)
        assert loss.numel() == 1 and loss.shape == ()
        assert 0 < loss.item() < np.inf

    def test_alpha_and_temperature_matter(self):
        values = {
            (alpha, t): self.pair(alpha=alpha, temperature=t)
            .distillation_loss(self.STUDENT, self.TEACHER, self.LABELS)
            .item()
            for alpha in (0.1, 0.9)
            for t in (1.0, 5.0)
        }
        assert min(abs(a - b) for i, a in enumerate(values.values()) for b in list(values.values())[:i]) > 0.01

    @pytest.mark.parametrize("temperature", [1.0, 2.5, 10.0])
    @pytest.mark.parametrize("alpha", [0.0, 0.4, 1.0])
    def test_formula(self, temperature, alpha):
        def log_probabilities(x):
            return x - np.log(np.exp(x).sum(axis=1, keepdims=True))

        s, t = self.STUDENT.data.astype(np.float64), self.TEACHER.data.astype(np.float64)
        log_p, log_q = log_probabilities(t / temperature), log_probabilities(s / temperature)
        soft = (np.exp(log_p) * (log_p - log_q)).sum(axis=1).mean() * temperature**2
        hard = -log_probabilities(s)[np.arange(4), self.LABELS].mean()
        loss = distillation_loss(self.STUDENT, self.TEACHER, self.LABELS, temperature, alpha)
        assert loss.item() == pytest.approx(alpha * soft + (1 - alpha) * hard, rel=1e-4)

    def test_gradient_keeps_its_size_when_the_temperature_rises(self):
        """What T^2 is for; without it the second would be 100 times smaller."""
        sizes = []
        for temperature in (10.0, 100.0):
            student = Tensor(self.STUDENT.data, requires_grad=True)
            distillation_loss(student, self.TEACHER, self.LABELS, temperature, 1.0).backward()
            sizes.append(np.abs(student.grad).sum())
        assert sizes[1] == pytest.approx(sizes[0], rel=0.3)

    def test_a_student_that_agrees_loses_nothing(self):
        assert distillation_loss(self.TEACHER, self.TEACHER, self.LABELS, 4, 1).item() == pytest.approx(0, abs=1e-6)

    def test_labels_as_arrays_lists_and_tensors(self):
        pair = self.pair()
        losses = [
            pair.distillation_loss(self.STUDENT, self.TEACHER, labels).item()
            for labels in (self.LABELS, self.LABELS.tolist(), Tensor(self.LABELS))
        ]
        assert losses[0] == losses[1] == losses[2]

    def test_logits_beyond_exp(self):
        far = Tensor([[900, 0, -900]])
        loss = distillation_loss(Tensor([[0, 0, 0]]), far, [0], 1, 1)
        assert loss.item() == pytest.approx(np.log(3), rel=1e-5)

    def test_only_the_student_learns(self, cnn, school):
        manual_seed(1)
        student = school.MLP(8)
        flat = FlatTeacher(cnn)
        pair = KnowledgeDistillation(flat, student)
        before, moments = cnn.state_dict(), cnn.norm1.running_mean.copy()
        adam = optim.Adam(student.parameters())
        cnn.zero_grad()
        losses = school.fit(student, 2, loss=pair, optimizer=adam, samples=200)
        assert losses[-1] < losses[0]
        assert all(parameter.grad is None for parameter in cnn.parameters())
        assert all((cnn.state_dict()[path] == array).all() for path, array in before.items())
        np.testing.assert_array_equal(cnn.norm1.running_mean, moments)

    @pytest.mark.parametrize("wake", [lambda t: t.train(), lambda t: t.cnn.train(), lambda t: t.cnn.norm1.train()])
    def test_a_teacher_that_somebody_woke_up_still_learns_nothing(self, cnn, school, wake):
        teacher, student = FlatTeacher(cnn), school.MLP(8)
        pair, x = KnowledgeDistillation(teacher, student), Tensor(school.pixels[:20].reshape(20, 64))
        before, loss = teacher.state_dict(), pair(x, school.labels[:20]).item()
        wake(teacher)
        assert pair(x, school.labels[:20]).item() == loss
        assert all((teacher.state_dict()[path] == array).all() for path, array in before.items())
        assert student.training

    def test_a_distilled_student_beats_the_same_student_alone(self, school):
        """Sixteen hidden units, 300 digits; a teacher of 128 units that has seen 1,400; over three seeds."""
        manual_seed(0)
        teacher = school.MLP(128)
        school.fit(teacher, 20)
        alone, taught = [], []
        for seed in range(3):
            manual_seed(10 + seed)
            first = school.MLP(16)
            second = copy.deepcopy(first)
            school.fit(first, 60, samples=300)
            school.fit(second, 60, KnowledgeDistillation(teacher, second, temperature=8, alpha=0.9), samples=300)
            alone.append(school.right(first))
            taught.append(school.right(second))
        assert np.mean(taught) > np.mean(alone) + 0.01, (alone, taught)

    def test_the_teachers_graph_is_not_walked(self):
        teacher = Tensor(self.TEACHER.data, requires_grad=True)
        student = Tensor(self.STUDENT.data, requires_grad=True)
        distillation_loss(student, teacher * 1, self.LABELS, 2, 0.5).backward()
        assert teacher.grad is None and student.grad is not None

    def test_against_the_divergence_written_with_softmax(self):
        """KL = sum p log p - sum p log q, and the module's log_softmax agrees with F.softmax."""
        p = F.softmax(self.TEACHER / 2, axis=-1)
        np.testing.assert_allclose(log_softmax(self.TEACHER / 2, axis=-1).exp().data, p.data, rtol=1e-5)
        loss = distillation_loss(self.STUDENT, self.TEACHER, self.LABELS, 2, 1).item()
        q = F.softmax(self.STUDENT / 2, axis=-1)
        assert loss == pytest.approx(4 * (p.data * np.log(p.data / q.data)).sum(axis=1).mean(), rel=1e-4)


class FlatTeacher(nn.Module):
    """A CNN that takes flat pixels."""

    def __init__(self, cnn: nn.Module) -> None:
        self.cnn = cnn

    def forward(self, x: Tensor) -> Tensor:
        return self.cnn(x.reshape(-1, 1, 8, 8))


class TestCompressionWithOtherModules:
    @pytest.mark.filterwarnings("ignore")
    def test_compression_with_quantization(self, mlp, school):
        """Prune first, then quantize: zeros stay zeros, and it still reads."""
        from tinytorch.optimization.quantization import quantize_model

        magnitude_prune(mlp, sparsity=0.7)
        school.fit(mlp, 3)
        x, before = school.batch(mlp, np.arange(1400, 1450)), school.right(mlp)
        baseline = answers(mlp, x)
        quantize_model(mlp, bits=8)
        out = answers(mlp, x)
        assert np.abs(out - baseline).mean() < 0.05 * np.abs(baseline).mean()
        assert school.right(mlp) > before - 0.02

    @pytest.mark.filterwarnings("ignore")
    def test_masked_biases_stay_zero_in_a_quantized_layer(self, mlp, school):
        from tinytorch.optimization.quantization import quantize_model

        fresh = quantize_model(structured_prune(school.MLP(), 0.0))
        quantize_model(structured_prune(mlp, 0.5))
        bias, gone = mlp.hidden.bias, mlp.hidden.bias.data == 0
        assert gone.sum() == 16 and bias.mask is mlp.hidden.bias_mask
        fresh.load_state_dict(mlp.state_dict())
        for model in (mlp, copy.deepcopy(mlp), fresh):
            school.fit(model, 1, samples=200)
            np.testing.assert_array_equal(model.hidden.bias.data == 0, gone)
        forget_masks(mlp)
        assert bias.mask is None and not any(path.endswith("_mask") for path in mlp.state_dict())

    @pytest.mark.filterwarnings("ignore")
    @pytest.mark.parametrize("succeeds", [True, False])
    def test_a_weight_that_is_no_parameter_any_more_has_no_mask(self, succeeds):
        from tinytorch.models import GPT
        from tinytorch.optimization.quantization import quantize_model

        model = magnitude_prune(GPT(11, 8, 8, 1, 2, seed=0), 0.5)
        before = {path for path in model.state_dict() if path.endswith("_mask")}
        assert "blocks.0.attention.in_proj_weight_mask" in before
        if succeeds:
            quantize_model(model)
            assert {path for path in model.state_dict() if path.endswith("_mask")} == {"positions.table_mask"}
        else:
            with pytest.raises(ValueError, match="no calibration data"):
                quantize_model(model, [])
            assert {path for path in model.state_dict() if path.endswith("_mask")} == before
            attention = model.blocks[0].attention
            assert attention.in_proj_weight.mask is attention.in_proj_weight_mask

    @pytest.mark.parametrize(
        "call", [lambda m: structured_prune(m, prune_ratio=0.3), lambda m: magnitude_prune(m, 0.5)]
    )
    def test_compression_with_attention(self, call):
        attention = nn.MultiHeadAttention(64, 8)
        x = Tensor(np.random.default_rng(0).normal(size=(2, 5, 64)), requires_grad=True)
        call(attention)
        out = attention(x)
        assert out.shape == (2, 5, 64) and np.isfinite(out.data).all()
        (out**2).sum().backward()
        optim.AdamW(attention.parameters(), lr=0.01, weight_decay=0.1).step()
        assert 0.29 < measure_sparsity(attention) < 0.51
        assert np.abs(x.grad).sum() > 0

    def test_pruned_attention_head_says_nothing(self):
        """All rows of one head masked: its share of what is merged is zero."""
        attention = nn.MultiHeadAttention(8, 2)
        stays = np.ones((24, 8), bool)
        for third in range(3):
            stays[third * 8 + 4 : third * 8 + 8] = False  # the second head's query, key, value
        set_mask(attention, "in_proj_weight", stays)
        x = np.random.default_rng(0).normal(size=(1, 3, 8)).astype(np.float32)
        packed = attention.pack(Tensor(x)).data
        assert not packed[..., 4:8].any() and not packed[..., 20:24].any() and packed[..., :4].any()
        before = answers(attention, Tensor(x))
        attention.out_proj.weight.data[:, 4:] = 99  # who listens to the second head hears zeros
        np.testing.assert_allclose(answers(attention, Tensor(x)), before, rtol=1e-5)

    def test_compression_with_spatial_conv(self):
        conv = nn.Conv2d(3, 64, kernel_size=3)
        structured_prune(conv, prune_ratio=0.5)
        x = Tensor(np.random.default_rng(0).normal(size=(2, 3, 8, 8)), requires_grad=True)
        out = conv(x)
        assert out.shape == (2, 64, 6, 6)
        assert (np.abs(out.data).max(axis=(0, 2, 3)) == 0).sum() == 32
        (out**2).sum().backward()
        assert np.isfinite(x.grad).all() and not np.isnan(conv.weight.grad).any()


class TestCrossModuleInteraction:
    def test_trainer_and_loader_keep_masks(self, mlp, school):
        magnitude_prune(mlp, 0.8)
        data = TensorDataset(school.pixels[:200].reshape(200, 64), school.labels[:200])
        trainer = Trainer(mlp, optim.Adam(mlp.parameters()), F.cross_entropy, metrics={"accuracy": accuracy})
        trainer.train(DataLoader(data, 50, shuffle=True, generator=0), 2)
        assert measure_sparsity(mlp) == pytest.approx(0.8, abs=1e-3)

    def test_a_sparse_layer_trains_its_values_and_no_others(self, mlp, school):
        compress_model(mlp, {"magnitude_prune": 0.9, "sparse": True})
        before, columns = mlp.hidden.to_dense(), mlp.hidden.columns.copy()
        losses = school.fit(mlp, 2)
        after = mlp.hidden.to_dense()
        assert np.mean(losses[-5:]) < np.mean(losses[:5])
        np.testing.assert_array_equal(mlp.hidden.columns, columns)
        assert not after[before == 0].any() and (after[before != 0] != before[before != 0]).mean() > 0.9

    def test_saved_sparse_layers_load(self, mlp, school, tmp_path):
        compress_model(mlp, {"magnitude_prune": 0.9, "sparse": True})
        twin = copy.deepcopy(mlp)
        for parameter in twin.parameters():
            parameter.data[...] = 7
        save(mlp.state_dict(), tmp_path / "sparse.npz")
        twin.load_state_dict(load(tmp_path / "sparse.npz"))
        x = school.batch(mlp, np.arange(30)) if isinstance(mlp, school.MLP) else None
        np.testing.assert_array_equal(answers(twin, x), answers(mlp, x))
        assert {array.dtype.name for array in mlp.state_dict().values()} == {"float32", "uint8", "int32"}

    def test_masks_and_sparse_layers_profile(self, mlp, school):
        from tinytorch.profiling.profiler import Profiler

        profiler, x = Profiler(), school.batch(mlp, np.arange(64))
        dense = profiler.count_flops(mlp, x)
        magnitude_prune(mlp, 0.9)
        assert profiler.count_flops(mlp, x) == dense  # zeros are multiplied like anything else
        compress_model(mlp, {"magnitude_prune": 0.9, "sparse": True})
        values = mlp.hidden.values.numel() + mlp.output.values.numel()
        assert profiler.count_flops(mlp, x) == 2 * 64 * values < 0.2 * dense

    def test_a_thin_gpt_profiles(self):
        """From each layer in -> out to r (in + out); GELU in the middle asks `up` for its width."""
        from tinytorch.models import GPT
        from tinytorch.profiling.profiler import Profiler

        model, ids = GPT(11, 8, 32, 1, 2, seed=0), [[1, 2]]
        dense = Profiler().count_flops(model, ids)
        compress_model(model, {"low_rank": 0.2})
        up, out = model.blocks[0].feed_forward.up, model.blocks[0].attention.out_proj
        assert (up.in_features, up.out_features) == (32, 128)
        assert (out.in_features, out.out_features) == (32, 32)
        saved = 2 * (32 * 128 - 6 * 160) + (32 * 32 - 6 * 64)
        assert Profiler().count_flops(model, ids) == dense - 2 * 2 * saved

    def test_layers_in_lists_dicts_and_tuples_are_replaced(self):
        model = nn.Module()
        model.listed = [nn.Linear(20, 20), [nn.Linear(20, 20)]]
        model.named, model.fixed = {"a": nn.Linear(20, 20)}, (nn.Linear(20, 20), 3)
        shared = model.listed[0]
        model.again = shared
        compress_model(model, {"low_rank": 0.1})
        kinds = [model.listed[0], model.listed[1][0], model.named["a"], model.fixed[0]]
        assert all(isinstance(layer, LowRankLinear) for layer in kinds)
        assert model.fixed[1] == 3 and model.again is model.listed[0]

    def test_transformer_block_pruned_and_sparse(self):
        block = nn.TransformerBlock(16, 2)
        x = Tensor(np.random.default_rng(0).normal(size=(2, 4, 16)))
        magnitude_prune(block, 0.9)
        masked = answers(block, x)
        compress_model(block, {"magnitude_prune": 0.9, "sparse": True})
        assert isinstance(block.feed_forward.up, SparseLinear)
        np.testing.assert_allclose(answers(block, x), masked, atol=1e-5)

    def test_forgetting_masks_leaves_the_zeros(self, mlp):
        magnitude_prune(mlp, 0.5)
        forget_masks(mlp)
        assert measure_sparsity(mlp) == pytest.approx(0.5, abs=1e-3)
        assert set(mlp.state_dict()) == {"hidden.weight", "hidden.bias", "output.weight", "output.bias"}
