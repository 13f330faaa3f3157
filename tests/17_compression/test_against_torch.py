"""The same masks, products, factors and distillation gradients as PyTorch's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinytorch import Tensor, nn
from tinytorch.optimization.compression import (
    SparseLinear,
    distillation_loss,
    low_rank_approximate,
    magnitude_prune,
    structured_prune,
    to_csr,
)

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install -r requirements/oracle.txt")
prune = pytest.importorskip("torch.nn.utils.prune")


def twins(size_in: int, size_out: int):
    """The same layer here and there."""
    ours, theirs = nn.Linear(size_in, size_out), torch.nn.Linear(size_in, size_out)
    theirs.load_state_dict({name: torch.tensor(value.copy()) for name, value in ours.state_dict().items()})
    return ours, theirs


SIZES = st.integers(1, 12)
SHARES = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.73, 0.9, 1.0])


class TestMasks:
    @given(SIZES, SIZES, SHARES)
    @settings(max_examples=40, deadline=None)
    def test_l1_unstructured(self, size_in, size_out, share):
        ours, theirs = twins(size_in, size_out)
        magnitude_prune(ours, share)
        prune.l1_unstructured(theirs, "weight", amount=share)
        np.testing.assert_array_equal(ours.weight_mask, theirs.weight_mask.numpy() != 0)
        np.testing.assert_allclose(ours.weight.data, theirs.weight.detach().numpy())

    @given(SHARES)
    @settings(max_examples=20, deadline=None)
    def test_global_unstructured(self, share):
        model, pairs = nn.Module(), [twins(7, 5), twins(5, 9)]
        model.layers = [ours for ours, _ in pairs]
        magnitude_prune(model, share)
        theirs = [(layer, "weight") for _, layer in pairs]
        prune.global_unstructured(theirs, pruning_method=prune.L1Unstructured, amount=share)
        for layer, twin in pairs:
            np.testing.assert_array_equal(layer.weight_mask, twin.weight_mask.numpy() != 0)

    @given(SIZES, st.integers(2, 12), st.sampled_from([0.0, 0.25, 0.5, 0.9]))
    @settings(max_examples=40, deadline=None)
    def test_ln_structured(self, size_in, size_out, ratio):
        ours, theirs = twins(size_in, size_out)
        structured_prune(ours, ratio)
        prune.ln_structured(theirs, "weight", amount=ratio, n=2, dim=0)
        np.testing.assert_array_equal(ours.weight_mask, theirs.weight_mask.numpy() != 0)

    def test_filters(self):
        ours, theirs = nn.Conv2d(3, 8, 3), torch.nn.Conv2d(3, 8, 3)
        theirs.load_state_dict({name: torch.tensor(value) for name, value in ours.state_dict().items()})
        structured_prune(ours, 0.5)
        prune.ln_structured(theirs, "weight", amount=0.5, n=2, dim=0)
        np.testing.assert_array_equal(ours.weight_mask, theirs.weight_mask.numpy() != 0)

    def test_training_a_pruned_layer(self):
        """Ten steps of SGD with momentum and decay: PyTorch's weight_orig * weight_mask moves as ours does."""
        import tinytorch

        ours, theirs = twins(6, 4)
        magnitude_prune(ours, 0.5)
        prune.l1_unstructured(theirs, "weight", amount=0.5)
        options = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}
        steps = tinytorch.optim.SGD(ours.parameters(), **options), torch.optim.SGD(theirs.parameters(), **options)
        x = np.random.default_rng(0).normal(size=(5, 6)).astype(np.float32)
        for _ in range(10):
            for optimizer, error in zip(
                steps, ((ours(Tensor(x)) ** 2).mean(), (theirs(torch.tensor(x)) ** 2).mean()), strict=True
            ):
                optimizer.zero_grad()
                error.backward()
                optimizer.step()
        masked = theirs.weight_orig * theirs.weight_mask
        np.testing.assert_allclose(ours.weight.data, masked.detach().numpy(), atol=1e-5)
        np.testing.assert_allclose(ours.bias.data, theirs.bias.detach().numpy(), atol=1e-5)


class TestSparse:
    @given(SIZES, SIZES, st.floats(0, 1), st.integers(0, 100))
    @settings(max_examples=40, deadline=None)
    @pytest.mark.filterwarnings("ignore:Sparse CSR")
    def test_csr_arrays(self, rows, columns, share, seed):
        rng = np.random.default_rng(seed)
        weight = (rng.normal(size=(rows, columns)) * (rng.random((rows, columns)) < share)).astype(np.float32)
        theirs = torch.tensor(weight).to_sparse_csr()
        values, places, starts = to_csr(weight)
        np.testing.assert_array_equal(values, theirs.values().numpy())
        np.testing.assert_array_equal(places, theirs.col_indices().numpy())
        np.testing.assert_array_equal(starts, theirs.crow_indices().numpy())

    @given(SIZES, SIZES, st.floats(0, 1), st.integers(0, 100))
    @settings(max_examples=40, deadline=None)
    def test_product_and_gradients(self, rows, columns, share, seed):
        rng = np.random.default_rng(seed)
        weight = (rng.normal(size=(rows, columns)) * (rng.random((rows, columns)) < share)).astype(np.float32)
        x, bias, g = (rng.normal(size=shape).astype(np.float32) for shape in ((3, columns), (rows,), (3, rows)))
        layer, ours = SparseLinear(weight, bias, "numpy"), Tensor(x, requires_grad=True)
        theirs, dense = torch.tensor(x, requires_grad=True), torch.tensor(weight, requires_grad=True)
        out = layer(ours)
        wanted = torch.nn.functional.linear(theirs, dense, torch.tensor(bias))
        np.testing.assert_allclose(out.data, wanted.detach().numpy(), atol=1e-4)
        out.backward(g)
        wanted.backward(torch.tensor(g))
        np.testing.assert_allclose(ours.grad, theirs.grad.numpy(), atol=1e-4)
        found = np.zeros((rows, columns + 1), np.float32)
        found[np.repeat(layer.order, np.diff(layer.starts)), layer.columns] = layer.values.grad
        np.testing.assert_allclose(found[:, :-1], dense.grad.numpy() * (weight != 0), atol=1e-4)


def test_low_rank_is_torchs_svd_cut_off():
    weight = np.random.default_rng(0).normal(size=(9, 6)).astype(np.float32)
    U, S, V = low_rank_approximate(weight, 0.5)
    u, s, v = torch.linalg.svd(torch.tensor(weight), full_matrices=False)
    np.testing.assert_allclose(U * S @ V, (u[:, :3] * s[:3] @ v[:3]).numpy(), atol=1e-4)


@given(st.integers(1, 6), st.integers(2, 7), st.sampled_from([0.5, 1, 3, 20]), st.floats(0, 1), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_distillation_loss_and_gradient(samples, classes, temperature, alpha, seed):
    rng = np.random.default_rng(seed)
    s, t = (rng.normal(scale=4, size=(samples, classes)).astype(np.float32) for _ in range(2))
    labels = rng.integers(0, classes, samples)
    ours, theirs, teacher = Tensor(s, requires_grad=True), torch.tensor(s, requires_grad=True), torch.tensor(t)
    loss = distillation_loss(ours, Tensor(t), labels, temperature, alpha)
    soft = torch.nn.functional.kl_div(
        torch.log_softmax(theirs / temperature, 1), torch.softmax(teacher / temperature, 1), reduction="batchmean"
    )
    hard = torch.nn.functional.cross_entropy(theirs, torch.tensor(labels))
    wanted = alpha * temperature**2 * soft + (1 - alpha) * hard
    np.testing.assert_allclose(loss.item(), wanted.item(), rtol=1e-3, atol=1e-5)
    loss.backward()
    wanted.backward()
    np.testing.assert_allclose(ours.grad, theirs.grad.numpy(), rtol=1e-3, atol=1e-4)
