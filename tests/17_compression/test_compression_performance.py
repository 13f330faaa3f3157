"""What compression saves: bytes that are there, work that is counted, accuracy that stays. Time is in benchmarks/."""

import copy
import gc
import sys
import tracemalloc

import numpy as np
import pytest

from tinytorch import Tensor, nn, no_grad, save
from tinytorch.optimization import compression
from tinytorch.optimization.compression import (
    LowRankLinear,
    SparseLinear,
    compress_model,
    magnitude_prune,
    measure_model,
    structured_prune,
)
from tinytorch.profiling.profiler import Profiler
from tito.lab import compare


@pytest.fixture
def layer():
    """1024 x 1024 weights, 95 % of them zero."""
    return magnitude_prune(nn.Linear(1024, 1024), 0.95)


def allocated(build) -> int:
    """Bytes that stay in memory after `build()`."""
    gc.collect()
    tracemalloc.start()
    kept = build()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    return size


class TestMemoryReduction:
    def test_masks_alone_save_nothing(self):
        layer = nn.Linear(100, 100)
        before = measure_model(layer).bytes
        assert measure_model(magnitude_prune(layer, 0.95)).bytes == before + 100 * 100

    def test_csr_is_a_tenth_at_95_percent(self, layer):
        sparse = SparseLinear.from_linear(layer)
        assert sparse.columns.dtype == np.uint16
        assert measure_model(sparse).bytes < 0.085 * 4 * 1024 * 1024
        assert sparse.values.numel() < 1.03 * 0.05 * 1024 * 1024  # fillers are few

    def test_bytes_in_memory_as_measured(self, layer):
        """Not computed: what Python's allocator keeps for each form."""
        dense = allocated(lambda: copy.deepcopy(layer.weight.data))
        sparse = allocated(lambda: SparseLinear.from_linear(layer, "numpy"))
        thin = allocated(lambda: LowRankLinear.from_linear(layer, 0.125))
        assert sparse < 0.1 * dense and thin < 0.3 * dense

    def test_files_shrink(self, layer, tmp_path):
        for name, model in (("dense", nn.Linear(1024, 1024)), ("sparse", SparseLinear.from_linear(layer))):
            save(model.state_dict(), tmp_path / f"{name}.npz")
        sizes = {name: (tmp_path / f"{name}.npz").stat().st_size for name in ("dense", "sparse")}
        assert sizes["sparse"] < 0.1 * sizes["dense"]

    def test_structured_pruning_shrinks_arrays(self, cnn, school):
        before = measure_model(cnn)
        structured_prune(cnn, 0.5, readers=school.READERS)
        after = measure_model(cnn)
        assert after.parameters == 4 * 9 + 4 + 6 * 4 * 9 + 6 + 2 * 4 + 2 * 6 + 10 * 24 + 10
        assert after.bytes < 0.5 * before.bytes and after.sparsity == 0

    def test_the_break_even_is_where_it_is_computed(self):
        """Two bytes for a column, four for a value: smaller from a third of zeros on."""
        weight = np.random.default_rng(0).normal(size=(600, 600)).astype(np.float32)
        sizes = {}
        for share in (0.30, 0.37):
            masked = weight * compression.magnitude_mask(weight, share)
            sizes[share] = measure_model(SparseLinear(masked)).bytes
        assert sizes[0.37] < weight.nbytes < sizes[0.30]


class TestInferenceSpeed:
    """Counted work, which no busy machine can change, and one ratio with room for noise."""

    def test_multiplications_fall_with_the_values(self, layer):
        x = Tensor(np.ones((64, 1024)))
        profiler, sparse = Profiler(), SparseLinear.from_linear(layer)
        assert profiler.count_flops(layer, x) == 2 * 64 * 1024 * 1024
        assert profiler.count_flops(sparse, x) < 1.03 * 0.05 * profiler.count_flops(layer, x)

    def test_numbers_that_are_gathered(self, layer, monkeypatch):
        """The products that NumPy is asked for hold as many numbers as there are values, not as in the matrix."""
        sparse, x = SparseLinear.from_linear(layer, "numpy"), Tensor(np.ones((64, 1024)))
        seen = []
        plain = compression.Rows.groups

        def counted(self):
            for rows, cells, shape in plain(self):
                seen.append(shape[0] * shape[1])
                yield rows, cells, shape

        monkeypatch.setattr(compression.Rows, "groups", counted)
        with no_grad():
            sparse(x)
        assert sum(seen) in (sparse.values.numel(), 2 * sparse.values.numel())  # widths are asked for first

    def test_fewer_units_are_fewer_multiplications(self, cnn, school):
        profiler, x = Profiler(), school.batch(cnn, np.arange(8))
        before = profiler.count_flops(cnn, x)
        structured_prune(cnn, 0.5, readers=school.READERS)
        assert profiler.count_flops(cnn, x) < 0.4 * before

    def test_low_rank_multiplies_less(self):
        layer, x = nn.Linear(512, 512), Tensor(np.ones((4, 512)))
        thin = LowRankLinear.from_linear(layer, 0.125)
        assert Profiler().count_flops(thin, x) == 2 * 4 * 64 * 1024 == Profiler().count_flops(layer, x) // 4

    def test_gathering_in_groups_beats_row_by_row(self, layer):
        """Generous: three times is what is asked, and about ten what was measured; interleaved."""
        x = np.random.default_rng(0).normal(size=(64, 1024)).astype(np.float32)
        sparse, csr = SparseLinear.from_linear(layer, "numpy"), compression.to_csr(layer.weight.data)
        ways = {"rows": lambda: compression.csr_product(*csr, x), "groups": lambda: sparse(Tensor(x))}
        with no_grad():
            times = compare(ways, samples=5)
        assert times["rows"].low_ms > 3 * times["groups"].low_ms

    def test_engines_agree(self, layer):
        pytest.importorskip("scipy", reason="SciPy is an extra: pip install scipy")
        x = Tensor(np.random.default_rng(0).normal(size=(70, 1024)), requires_grad=True)
        twin = Tensor(x.data, requires_grad=True)
        ours, theirs = SparseLinear.from_linear(layer, "numpy"), SparseLinear.from_linear(layer, "scipy")
        assert SparseLinear.from_linear(layer).engine == "scipy"
        first, second = ours(x), theirs(twin)
        np.testing.assert_allclose(first.data, second.data, atol=1e-4)
        (first**2).sum().backward()
        (second**2).sum().backward()
        np.testing.assert_allclose(x.grad, twin.grad, atol=1e-3)
        np.testing.assert_allclose(ours.values.grad, theirs.values.grad, atol=1e-3)

    def test_without_scipy(self, layer, monkeypatch):
        """Everything works; asking for it by name says what to do; a layer built with it still answers."""
        before = SparseLinear.from_linear(layer)
        x = Tensor(np.random.default_rng(0).normal(size=(3, 1024)))
        wanted = before(x).data
        monkeypatch.setitem(sys.modules, "scipy", None)
        monkeypatch.setitem(sys.modules, "scipy.sparse", None)
        after = SparseLinear.from_linear(layer)
        assert after.engine == "numpy"
        for sparse in (before, after):
            np.testing.assert_allclose(sparse(x).data, wanted, atol=1e-4)
        with pytest.raises(ImportError, match="pip install scipy"):
            SparseLinear.from_linear(layer, engine="scipy")

    def test_importing_the_module_does_not_import_scipy(self):
        import subprocess

        code = "import sys, tinytorch.optimization.compression; sys.exit('scipy' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class TestCompressionQuality:
    def test_half_of_the_weights_go_for_free(self, mlp, school):
        before = school.right(mlp)
        magnitude_prune(mlp, 0.5)
        assert school.right(mlp) > before - 0.05

    def test_tuning_repairs_what_pruning_broke(self, mlp, school):
        before = school.right(mlp)
        magnitude_prune(mlp, 0.85)
        pruned = school.right(mlp)
        school.fit(mlp, 5)
        assert school.right(mlp) > pruned + 0.05 and school.right(mlp) > before - 0.09

    def test_smallest_first_beats_largest_first(self, mlp, school):
        largest = copy.deepcopy(mlp)
        magnitude_prune(mlp, 0.5)
        weights = [p for p in largest.parameters() if p.ndim == 2]
        edge = np.median(np.abs(np.concatenate([p.data.ravel() for p in weights])))
        for parameter in weights:
            parameter.data[...] = np.where(np.abs(parameter.data) > edge, 0, parameter.data)
        assert school.right(mlp) > school.right(largest) + 0.3

    def test_csr_answers_as_the_masked_network(self, mlp, school):
        magnitude_prune(mlp, 0.8)
        masked = school.right(mlp)
        report = compress_model(mlp, {"magnitude_prune": 0.8, "sparse": True}, school.right)
        assert report.after.accuracy == masked and report.ratio > 3

    def test_low_rank_keeps_most(self, mlp, school):
        before = school.right(mlp)
        compress_model(mlp, {"low_rank": {"rank_ratio": 0.375, "exclude": ["output"]}})
        assert school.right(mlp) > before - 0.08
