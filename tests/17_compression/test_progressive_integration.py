"""Module 17 and the stack below it: earlier modules as they were, this module's core, all of it together."""

import copy

import numpy as np
import pytest

import tinytorch
from tinytorch import Tensor, nn, no_grad, optim
from tinytorch.nn import functional as F
from tinytorch.optimization.compression import (
    CompressionComplete,
    KnowledgeDistillation,
    LowRankLinear,
    SparseLinear,
    compress_model,
    csr_product,
    inputs_that_stay,
    low_rank_approximate,
    magnitude_mask,
    magnitude_prune,
    measure_sparsity,
    strongest_rows,
    structured_prune,
    to_csr,
)


class TestPriorStackStillWorking:
    def test_quantization_still_works(self):
        from tinytorch.optimization.quantization import dequantize_int8, quantize_int8

        x = np.float32([[-1, 0, 0.5, 1]])
        numbers, *scale = quantize_int8(x)
        assert numbers.dtype == np.int8
        back = dequantize_int8(numbers, *scale)
        np.testing.assert_allclose(getattr(back, "data", back), x, atol=0.01)

    def test_profiling_still_works(self):
        from tinytorch.profiling.profiler import Profiler

        layer, x = nn.Linear(10, 5), Tensor(np.ones((3, 10)))
        assert Profiler().count_parameters(layer) == 55
        assert Profiler().count_flops(layer, x) == 2 * 3 * 10 * 5

    def test_training_pipeline_stable(self, school):
        """Models without masks train as they did: the same numbers, with and without this module in sight."""
        tinytorch.manual_seed(3)
        model = school.MLP(16)
        losses = school.fit(model, 4)
        assert np.mean(losses[-20:]) < 0.5 * np.mean(losses[:5])
        assert all(parameter.mask is None for parameter in model.parameters())

    @pytest.mark.parametrize("make", [optim.SGD, optim.Adam, optim.AdamW, optim.RMSprop])
    def test_a_mask_of_ones_changes_no_step(self, make):
        tinytorch.manual_seed(0)
        plain = nn.Linear(6, 4)
        masked = magnitude_prune(copy.deepcopy(plain), 0.0)
        x = Tensor(np.random.default_rng(0).normal(size=(5, 6)))
        for model in (plain, masked):
            optimizer = make(model.parameters(), lr=0.01)
            for _ in range(3):
                optimizer.zero_grad()
                (model(x) ** 2).mean().backward()
                optimizer.step()
        np.testing.assert_array_equal(plain.weight.data, masked.weight.data)

    def test_plain_tensors_are_still_optimized(self):
        w = Tensor([1.0], requires_grad=True)
        w.grad = np.float32([2.0])
        optim.SGD([w], lr=0.5).step()
        assert w.data.tolist() == [0.0]


class TestModule17CompressionCore:
    def test_magnitude_mask(self):
        assert magnitude_mask(np.float32([3, -1, 2, -4]), 0.5).tolist() == [True, False, False, True]

    def test_measure_sparsity(self):
        layer = nn.Linear(4, 4)
        layer.weight.data[:, :3] = 0
        assert measure_sparsity(layer) == 0.75

    def test_magnitude_prune(self):
        layer = nn.Linear(10, 10)
        largest = np.abs(layer.weight.data) >= np.sort(np.abs(layer.weight.data), axis=None)[70]
        magnitude_prune(layer, 0.7)
        np.testing.assert_array_equal(layer.weight.data != 0, largest)
        assert layer.bias.data.all()

    def test_structured_prune_and_its_reader(self):
        assert strongest_rows(np.float32([[1, 0], [0, 3], [2, 2]]), 1 / 3).tolist() == [1, 2]
        assert inputs_that_stay(np.array([1]), 2, 6).tolist() == [3, 4, 5]

    def test_low_rank(self):
        U, S, V = low_rank_approximate(np.outer([1.0, 2], [3, 4, 5]), 0.5)
        np.testing.assert_allclose(U * S @ V, np.outer([1, 2], [3, 4, 5]), atol=1e-5)

    @pytest.mark.parametrize("seed", range(3))
    @pytest.mark.parametrize("engine", ["numpy", None])
    @pytest.mark.parametrize("shape", [(1, 1), (17, 5), (40, 300), (33, 70)])
    def test_csr_and_the_layer_multiply_as_the_matrix_does(self, seed, engine, shape):
        rng = np.random.default_rng(seed)
        weight = rng.normal(size=shape).astype(np.float32) * (rng.random(shape) < rng.choice([0.02, 0.1, 0.6]))
        x = rng.normal(size=(130, shape[1])).astype(np.float32)  # more than two pieces of 64
        np.testing.assert_allclose(csr_product(*to_csr(weight), x), x @ weight.T, atol=1e-3)
        layer = SparseLinear(weight, rng.normal(size=shape[0]), engine)
        np.testing.assert_allclose(layer(Tensor(x)).data, x @ weight.T + layer.bias.data, atol=1e-3)
        np.testing.assert_array_equal(layer.to_dense(), weight)

    def test_gradients_of_the_sparse_layer_are_those_of_the_masked_one(self):
        rng = np.random.default_rng(0)
        dense = magnitude_prune(nn.Linear(50, 40), 0.8)
        sparse, g = SparseLinear.from_linear(dense, "numpy"), rng.normal(size=(3, 7, 40)).astype(np.float32)
        x = [Tensor(rng.normal(size=(3, 7, 50)), requires_grad=True)]
        x.append(Tensor(x[0].data, requires_grad=True))
        dense(x[0]).backward(g)
        sparse(x[1]).backward(g)
        np.testing.assert_allclose(x[1].grad, x[0].grad, atol=1e-4)
        np.testing.assert_allclose(sparse.bias.grad, dense.bias.grad, atol=1e-4)
        wanted = np.zeros((40, 51), np.float32)
        wanted[np.repeat(sparse.order, np.diff(sparse.starts)), sparse.columns] = sparse.values.grad
        np.testing.assert_allclose(wanted[:, :50], dense.weight.grad * dense.weight.mask, atol=1e-4)
        assert not wanted[:, 50].any()  # fillers stay 0

    def test_distillation_trains(self, mlp, school):
        tinytorch.manual_seed(5)
        student = school.MLP(8)
        losses = school.fit(student, 3, KnowledgeDistillation(mlp, student))
        assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:10])

    def test_complete_holds_the_functions(self):
        assert CompressionComplete.measure_sparsity is measure_sparsity
        assert CompressionComplete.magnitude_prune is magnitude_prune
        assert CompressionComplete.structured_prune is structured_prune
        assert CompressionComplete.low_rank_approximate is low_rank_approximate
        assert CompressionComplete.compress_model is compress_model
        assert CompressionComplete.KnowledgeDistillation is KnowledgeDistillation

    def test_facade(self):
        from tinytorch import optimization

        assert optimization.magnitude_prune is magnitude_prune
        assert optimization.SparseLinear is SparseLinear and optimization.LowRankLinear is LowRankLinear


class TestProgressiveStackIntegration:
    def test_the_whole_way(self, cnn, school):
        """Train, remove filters, repair, mask, repair, write as CSR: it reads, and is smaller."""
        before = school.right(cnn)
        config = {"structured_prune": {"prune_ratio": 0.25, "readers": school.READERS},
                  "magnitude_prune": {"sparsity": 0.5, "exclude": ["conv1"]}, "sparse": True}  # fmt: skip
        report = compress_model(cnn, config, school.right, lambda model: school.fit(model, 3))
        assert report.after.accuracy > before - 0.05
        assert report.ratio > 1.3
        x = school.batch(cnn, np.arange(3))
        loss = F.cross_entropy(cnn(x), school.labels[:3])
        loss.backward()
        assert np.isfinite(loss.item()) and all(p.grad is not None for p in cnn.parameters())

    def test_a_pruned_gpt_writes_and_learns(self):
        from tinytorch.models import GPT

        model = GPT(16, 8, 16, 2, 2, seed=0)
        ids = np.random.default_rng(0).integers(0, 16, size=(4, 9))
        magnitude_prune(model, 0.5)
        adam, losses = optim.AdamW(model.parameters(), lr=0.01), []
        for _ in range(15):
            loss = F.cross_entropy(model(ids[:, :-1]), ids[:, 1:])
            losses.append(loss.item())
            adam.zero_grad()
            loss.backward()
            adam.step()
        assert losses[-1] < losses[0] and measure_sparsity(model) == pytest.approx(0.5, abs=1e-3)
        dense = model.generate([1, 2], 5, temperature=0)
        compress_model(model, {"magnitude_prune": 0.0, "sparse": True})
        assert model.generate([1, 2], 5, temperature=0).tolist() == dense.tolist()


class TestRegressionPrevention:
    def test_ten_steps_do_not_revive_weights(self, mlp, school):
        """The reference course's error: pruned weights were back after ten steps."""
        adam = optim.Adam(mlp.parameters(), lr=0.01)
        school.fit(mlp, 1, optimizer=adam, samples=200)  # moments of every weight
        magnitude_prune(mlp, 0.7)
        gone = [p.data == 0 for p in mlp.parameters() if p.ndim == 2]
        assert all(zero.any() for zero in gone)
        school.fit(mlp, 1, optimizer=adam, samples=500)
        for parameter, zero in zip((p for p in mlp.parameters() if p.ndim == 2), gone, strict=True):
            assert not parameter.data[zero].any()

    def test_the_distillation_loss_has_a_graph(self):
        """The reference course's error: a float, which nothing can train with."""
        teacher, student = nn.Linear(3, 2), nn.Linear(3, 2)
        loss = KnowledgeDistillation(teacher, student)(Tensor(np.ones((4, 3))), [0, 1, 0, 1])
        assert isinstance(loss, Tensor)
        loss.backward()
        assert np.abs(student.weight.grad).sum() > 0

    def test_pruned_weights_are_no_longer_stored(self, mlp):
        magnitude_prune(mlp, 0.9)
        compress_model(mlp, {"sparse": True, "magnitude_prune": 0.9})
        sizes = [p.numel() for p in mlp.parameters()]
        assert max(sizes) < 0.2 * 64 * 32

    def test_a_sparse_layer_keeps_no_dense_copy(self, mlp, school):
        compress_model(mlp, {"magnitude_prune": 0.9, "sparse": True})
        with no_grad():
            mlp(school.batch(mlp, np.arange(64)))
        arrays = [value for _, part in mlp.named_modules() for value in vars(part).values()]
        sizes = [a.data.size if isinstance(a, Tensor) else a.size for a in arrays if isinstance(a, Tensor | np.ndarray)]
        assert max(sizes) < 0.2 * 64 * 32
