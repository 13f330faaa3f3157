"""Quantization with the whole stack: structure, accuracy, memory, safety and edge cases, on trained models."""

import copy
import gc
import os
import subprocess
import sys
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest

from tinytorch.core.activations import ReLU, relu
from tinytorch.core.attention import MultiHeadAttention
from tinytorch.core.autograd import no_grad
from tinytorch.core.layers import (
    Linear,
    Module,
    Parameter,
    kaiming_normal_,
    kaiming_uniform_,
    linear,
    xavier_normal_,
    xavier_uniform_,
)
from tinytorch.core.losses import CrossEntropyLoss, cross_entropy
from tinytorch.core.optimizers import SGD, Adam, AdamW, RMSprop
from tinytorch.core.spatial import BatchNorm2d, Conv2d, Flatten, MaxPool2d
from tinytorch.core.tensor import Tensor, load, manual_seed, save
from tinytorch.core.training import Trainer, accuracy
from tinytorch.data.loader import DataLoader, TensorDataset
from tinytorch.models.transformer import GPT, TransformerBlock
from tinytorch.optimization import quantization as Q
from tinytorch.profiling.profiler import Profiler, model_bytes
from tito.lab import load_digits, load_python_source

PIXELS, LABELS = load_digits()
TRAIN, TEST = slice(0, 1400), slice(1400, 1797)
IMAGES = PIXELS.reshape(-1, 1, 8, 8)
TEXT = load_python_source(40_000)
ALPHABET = sorted(set(TEXT))
IDS = np.array([ALPHABET.index(character) for character in TEXT], dtype=np.intp)
SPAN = 32


class MLP(Module):
    def __init__(self):
        self.first, self.act, self.second = Linear(64, 128), ReLU(), Linear(128, 64)
        self.output = Linear(64, 10)

    def forward(self, x):
        return self.output(self.act(self.second(self.act(self.first(x)))))


class CNN(Module):
    """conv, norm, pool, conv, norm, pool, linear."""

    def __init__(self):
        self.conv1, self.norm1 = Conv2d(1, 8, 3, padding=1), BatchNorm2d(8)
        self.conv2, self.norm2 = Conv2d(8, 16, 3, padding=1), BatchNorm2d(16)
        self.pool, self.flatten, self.output = MaxPool2d(2), Flatten(), Linear(64, 10)

    def forward(self, x):
        h = self.pool(relu(self.norm1(self.conv1(x))))  # (B, 8, 4, 4)
        h = self.pool(relu(self.norm2(self.conv2(h))))  # (B, 16, 2, 2)
        return self.output(self.flatten(h))


class Residual(Module):
    """A stem, two convolutions around a skip connection, a mean and a head."""

    def __init__(self):
        self.stem = Conv2d(1, 8, 3, padding=1)
        self.inner = [Conv2d(8, 8, 3, padding=1), Conv2d(8, 8, 3, padding=1)]
        self.head = Linear(8, 10)

    def forward(self, x):
        h = relu(self.stem(x))
        h = relu(h + self.inner[1](relu(self.inner[0](h))))
        return self.head(h.mean(axis=(2, 3)))


class Mixed(Module):
    """A convolution cuts an image into tokens; a transformer block reads them."""

    def __init__(self):
        self.patches = Conv2d(1, 16, 2, stride=2)
        self.block = TransformerBlock(16, 2)
        self.head = Linear(16, 10)

    def forward(self, x):
        h = self.patches(x)  # (B, 16, 4, 4)
        h = h.reshape(len(x), 16, 16).transpose(1, 2)  # (B, T, C)
        return self.head(self.block(h, is_causal=False).mean(axis=1))


def quantized(model, data=None, **options):
    """A quantized copy; the warning has a test of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return Q.quantize_model(copy.deepcopy(model), data, **options)


def one_layer(features, data, percentile):
    """A calibrated layer in a model of its own."""
    model = Module()
    model.layer = Linear(features, 2)
    model.forward = lambda x: model.layer(x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return Q.quantize_model(model, data, percentile=percentile).layer


def answer(model, x):
    with no_grad():
        return model(x).data


def error(model, small, x):
    """Mean absolute error of the outputs, relative to their mean absolute value."""
    wanted = answer(model, x)
    return float(np.abs(answer(small, x) - wanted).mean() / np.abs(wanted).mean())


def right(model, x):
    return float((answer(model, x).argmax(axis=1) == LABELS[TEST]).mean())


def fit(model, inputs, epochs, lr=3e-3):
    optimizer, rng = AdamW(model.parameters(), lr=lr), np.random.default_rng(0)
    for _ in range(epochs):
        for rows in np.array_split(rng.permutation(1400), 28):
            optimizer.zero_grad()
            cross_entropy(model(Tensor(inputs[rows])), LABELS[rows]).backward()
            optimizer.step()
    return model.eval()


def windows(start, count):
    return np.stack([IDS[start + SPAN * i : start + SPAN * (i + 1) + 1] for i in range(count)])


@pytest.fixture(scope="module")
def mlp():
    manual_seed(0)
    return fit(MLP(), PIXELS, epochs=12)


@pytest.fixture(scope="module")
def cnn():
    manual_seed(0)
    return fit(CNN(), IMAGES, epochs=6, lr=1e-2)


@pytest.fixture(scope="module")
def gpt():
    model = GPT(len(ALPHABET), SPAN, d_model=64, num_layers=2, num_heads=4, seed=0)
    optimizer, rng = AdamW(model.parameters(), lr=5e-3), np.random.default_rng(0)
    for _ in range(100):
        starts = rng.integers(30_000, size=12)
        batch = IDS[starts[:, None] + np.arange(SPAN + 1)]
        optimizer.zero_grad()
        cross_entropy(model(batch[:, :-1]), batch[:, 1:]).backward()
        optimizer.step()
    return model.eval()


def spied(small):
    """The kinds of all modules, by path."""
    return {path: type(module).__name__ for path, module in small.named_modules()}


class TestQuantizationModelIntegrity:
    """Structure and abilities of a model survive."""

    def test_quantize_mlp_preserves_structure(self, mlp):
        small, x = quantized(mlp), Tensor(PIXELS[TEST])
        assert [name for name, _ in small.named_children()] == ["first", "second", "output"]
        assert {type(layer) for layer in small.children()} == {Q.QuantizedLinear}
        assert (small.first.in_features, small.first.out_features) == (64, 128)
        assert small(x).shape == mlp(x).shape
        assert small(x).data.dtype == np.float32
        assert small.first(Tensor(PIXELS[:6].reshape(2, 3, 64))).shape == (2, 3, 128)
        assert small.first(Tensor(PIXELS[0])).shape == (128,)
        assert small(Tensor(PIXELS[:0])).shape == (0, 10)

    def test_quantize_cnn_preserves_spatial_ops(self, cnn):
        small, x = quantized(cnn), Tensor(IMAGES[TEST])
        assert isinstance(small.conv1, Q.QuantizedConv2d)
        assert isinstance(small.pool, MaxPool2d)
        assert isinstance(small.norm1, BatchNorm2d)
        for name in ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups"):
            assert getattr(small.conv2, name) == getattr(cnn.conv2, name)
        assert small.conv2.weight.shape == cnn.conv2.weight.shape
        assert small(x).shape == cnn(x).shape
        np.testing.assert_array_equal(small.norm1.running_mean, cnn.norm1.running_mean)

    def test_quantize_transformer_preserves_attention(self, gpt):
        small, ids = quantized(gpt), windows(0, 2)[:, :-1]
        attention = small.blocks[0].attention
        assert isinstance(attention, MultiHeadAttention)
        assert attention.in_proj_weight.values.dtype == np.int8
        assert isinstance(attention.out_proj, Q.QuantizedLinear)
        assert isinstance(small.embedding, Q.QuantizedEmbedding)
        logits = answer(small, ids)
        changed = ids.copy()
        changed[:, 20:] = 0
        assert logits.shape == (2, SPAN, len(ALPHABET))
        # no row looks ahead; whole numbers let nothing through the range of a batch either, once it is fixed
        fixed = quantized(gpt, windows(0, 8)[:, :-1])
        np.testing.assert_array_equal(answer(fixed, changed)[:, :20], answer(fixed, ids)[:, :20])
        query = Tensor(np.random.default_rng(0).normal(size=(1, 3, 64)))
        _, weights = attention(query, query, need_weights=True)
        np.testing.assert_allclose(weights.sum(axis=-1), np.ones((1, 4, 3)), rtol=1e-5)

    @pytest.mark.parametrize("kind", [SGD, Adam, AdamW, RMSprop])
    def test_quantized_model_trains_correctly(self, mlp, kind):
        small = quantized(mlp, PIXELS[TRAIN], bits=3)
        values = small.first.weight.values.copy()
        biases = small.first.bias.data.copy()
        optimizer, losses = kind(small.parameters(), lr=0.3 if kind is SGD else 3e-3), []
        for _ in range(25):
            optimizer.zero_grad()
            loss = cross_entropy(small(Tensor(PIXELS[:300])), LABELS[:300])
            loss.backward()
            losses.append(loss.item())
            optimizer.step()
        assert losses[-1] < 0.8 * losses[0]
        np.testing.assert_array_equal(small.first.weight.values, values)
        assert np.abs(small.first.bias.data - biases).max() > 0

    def test_quantized_model_profiles_correctly(self, mlp):
        small, x = quantized(mlp), Tensor(PIXELS[:5])
        profiler = Profiler()
        inputs = 5 * (64 + 128 + 64)  # each is rounded in four operations
        assert profiler.count_flops(small, x) == profiler.count_flops(mlp, x) + 4 * inputs
        assert profiler.count_parameters(small) == 128 + 64 + 10
        assert profiler.measure_latency(small, x, warmup=1, iterations=3).percentile(50) > 0
        rows = {row.path: row for row in profiler.profile(small, x).rows}
        assert rows["first"].kind == "QuantizedLinear"


class TestQuantizationAccuracy:
    """Answers stay near those of float32."""

    @pytest.mark.parametrize("calibrated", [False, True])
    def test_mlp_output_similarity(self, mlp, calibrated):
        small = quantized(mlp, PIXELS[TRAIN] if calibrated else None)
        assert error(mlp, small, Tensor(PIXELS[TEST])) < 0.01
        assert right(small, Tensor(PIXELS[TEST])) >= right(mlp, Tensor(PIXELS[TEST])) - 0.01

    @pytest.mark.parametrize("calibrated", [False, True])
    def test_cnn_output_similarity(self, cnn, calibrated):
        small = quantized(cnn, IMAGES[TRAIN] if calibrated else None)
        assert error(cnn, small, Tensor(IMAGES[TEST])) < 0.01
        assert right(small, Tensor(IMAGES[TEST])) >= right(cnn, Tensor(IMAGES[TEST])) - 0.01

    @pytest.mark.parametrize("calibrated", [False, True])
    def test_transformer_output_similarity(self, gpt, calibrated):
        small = quantized(gpt, windows(0, 20)[:, :-1] if calibrated else None)
        held_out = windows(32_000, 8)
        assert error(gpt, small, held_out[:, :-1]) < 0.01
        losses = [cross_entropy(Tensor(answer(m, held_out[:, :-1])), held_out[:, 1:]).item() for m in (gpt, small)]
        assert abs(losses[1] - losses[0]) < 0.005

    def test_calibrated_vs_uncalibrated_accuracy(self, mlp, cnn, gpt):
        """Never worse than a fiftieth, and clearly better where the inputs are skewed: behind a ReLU."""
        cases = [
            (mlp, PIXELS[TRAIN], Tensor(PIXELS[TEST])),
            (cnn, IMAGES[TRAIN], Tensor(IMAGES[TEST])),
            (gpt, windows(0, 20)[:, :-1], windows(32_000, 8)[:, :-1]),
        ]
        for model, data, x in cases:
            assert error(model, quantized(model, data), x) < 1.02 * error(model, quantized(model), x)
        manual_seed(0)
        layer, rng = Linear(256, 64), np.random.default_rng(0)
        skewed = np.maximum(rng.normal(size=(400, 256)), 0).astype(np.float32)
        small = Q.QuantizedLinear(layer)
        dynamic = error(layer, small, Tensor(skewed[200:]))
        small.input_range[...] = Q.calibrated_range([skewed[:200]])
        assert error(layer, small, Tensor(skewed[200:])) < 0.75 * dynamic

    def test_percentile_forgets_a_freak(self, mlp):
        data = PIXELS[TRAIN].copy()
        data[7, 7] = 500.0
        small, errors = Q.QuantizedLinear(mlp.first), []
        for percentile in (100.0, 99.9):
            small.input_range[...] = Q.calibrated_range([data], percentile)
            errors.append(error(mlp.first, small, Tensor(PIXELS[TEST])))
        assert errors[1] < 0.01 < 0.3 < errors[0]

    @pytest.mark.parametrize("percentile", [75.0, 99.0])
    def test_a_percentile_is_that_of_every_feature(self, percentile):
        """Two kinds of features in turn: a step through the numbers would meet one of them alone."""
        x = np.random.default_rng(0).normal(size=(2 * Q.NOTED // 32, 32)).astype(np.float32)
        x[:, 1::2] *= 10
        manual_seed(0)
        low, high = one_layer(32, x, percentile).input_range
        assert (x < low).mean() == pytest.approx(1 - percentile / 100, rel=0.1)
        assert (x > high).mean() == pytest.approx(1 - percentile / 100, rel=0.1)

    def test_many_small_batches_have_the_percentile_of_one_large(self):
        x = np.random.default_rng(0).normal(size=(500, 4)).astype(np.float32)
        small, large = (one_layer(4, data, 75.0).input_range for data in (x[:, None], [x]))
        np.testing.assert_array_equal(small, large)
        np.testing.assert_allclose(large, np.percentile(x, [25, 75]), rtol=1e-6)

    def test_a_number_counts_as_much_in_a_large_batch_as_in_a_small_one(self):
        quiet, loud = np.ones((4 * Q.NOTED, 1), np.float32), np.full((Q.NOTED, 1), 9, np.float32)
        assert one_layer(1, [quiet, loud], 75.0).input_range[1] == 1  # every fifth number is loud
        assert one_layer(1, [quiet, loud], 85.0).input_range[1] == 9

    def test_without_a_percentile_no_number_is_missed(self):
        x = np.zeros((Q.NOTED, 32), np.float32)
        x[1234, 5], x[4321, 6] = -3, 7
        np.testing.assert_array_equal(one_layer(32, x, 100.0).input_range, [-3, 7])
        assert one_layer(32, x, 99.0).input_range.tolist() == [0, 0]

    def test_a_scale_for_each_row_beats_one_for_all(self):
        weight = np.random.default_rng(0).normal(size=(64, 100)) * np.logspace(-3, 0, 64)[:, None]
        errors = {}
        for axis in (None, 0):
            values, scale, zero = Q.quantize_int8(weight, axis, symmetric=True)
            relative = np.abs(Q.dequantize_int8(values, scale, zero) - weight) / np.abs(weight).mean(1, keepdims=True)
            errors[axis] = relative.mean()
        assert errors[0] < 0.01 < 0.1 < errors[None]

    def test_quantization_error_within_1_percent(self, mlp, cnn, gpt):
        """Trained models on what they were trained for, their inputs a thousand times as small and as large."""
        for factor in (1e-3, 1.0, 1e3):
            assert error(mlp, quantized(mlp), Tensor(factor * PIXELS[TEST])) < 0.01
            assert error(cnn, quantized(cnn), Tensor(factor * IMAGES[TEST])) < 0.01
            small = quantized(mlp, factor * PIXELS[TRAIN])
            assert error(mlp, small, Tensor(factor * PIXELS[TEST])) < 0.01
        assert error(gpt, quantized(gpt), windows(33_000, 8)[:, :-1]) < 0.01

    @pytest.mark.parametrize("init", [xavier_uniform_, xavier_normal_, kaiming_uniform_, kaiming_normal_])
    def test_any_start(self, init):
        """Weights of Glorot and of He, after two epochs of training."""
        manual_seed(1)
        model = MLP()
        for layer in model.children():
            init(layer.weight)
        fit(model, PIXELS, epochs=2)
        assert error(model, quantized(model, PIXELS[TRAIN]), Tensor(PIXELS[TEST])) < 0.01

    @pytest.mark.parametrize("size", [1e-30, 1e-6, 1e6, 1e30])
    def test_any_size_of_inputs(self, size):
        manual_seed(0)
        layer = Linear(64, 32, bias=False)
        pixels = Tensor((size * PIXELS[:200]).astype(np.float32))
        assert error(layer, Q.QuantizedLinear(layer), pixels) < 0.01


class TestQuantizationMemorySavings:
    """Bytes that are measured."""

    def test_int8_tensor_actual_memory(self):
        values, _, _ = Q.quantize_int8(np.ones((1000, 500), np.float32), axis=0, symmetric=True)
        assert values.dtype == np.int8
        assert values.nbytes == 500_000
        layer = Linear(500, 1000)
        weight = Q.QuantizedLinear(layer).weight
        held = [part for part in vars(weight).values() if isinstance(part, np.ndarray)]
        assert sum(part.nbytes for part in held) == 500_000 + 4 * 1000
        assert sorted(part.dtype.name for part in held) == ["float32", "int8"]

    def test_compression_ratio_approximately_4x(self, mlp, gpt):
        manual_seed(0)
        layer = Linear(1024, 1024)
        small = Q.QuantizedLinear(layer)
        kept = small.weight.values.nbytes + small.weight.scale.nbytes
        assert kept / layer.weight.data.nbytes < 0.255
        assert Q.compare_model_sizes(layer, small)["ratio"] < 0.27
        for model in (mlp, gpt):
            small = quantized(model)
            weights = {id(w): w for _, w in small.named_modules() if isinstance(w, Q.Int8Weight)}.values()
            kept = sum(w.values.nbytes + w.scale.nbytes for w in weights)
            assert kept / sum(4 * w.values.size for w in weights) < 0.27

    def test_memory_savings_persist_during_inference(self):
        """A forward and a backward pass hold one block of float32 at a time, and nothing stays."""
        manual_seed(0)
        small = Q.QuantizedLinear(Linear(2048, 2048))
        whole = 4 * 2048 * 2048
        x = Tensor(np.ones((1, 2048)), requires_grad=True)
        small(x).sum().backward()  # caches of Python and NumPy
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        small(x).sum().backward()
        after, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak - before < 0.2 * whole
        assert after - before < 0.01 * whole
        assert small.weight.values.dtype == np.int8

    def test_convolution_and_tied_head_hold_no_copy_either(self):
        manual_seed(0)
        conv = Q.QuantizedConv2d(Conv2d(256, 512, 3))
        image = Tensor(np.ones((1, 256, 3, 3)))
        head, row = Q.Int8Weight(np.ones((4096, 512), np.float32)), Tensor(np.ones((1, 512)))
        for run, whole in ((lambda: conv(image), 4 * 512 * 256 * 9), (lambda: linear(row, head), 4 * 4096 * 512)):
            run()
            tracemalloc.start()
            before = tracemalloc.get_traced_memory()[0]
            run()
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak - before < 0.4 * whole

    def test_profiler_measures_savings_correctly(self, mlp, gpt):
        for model in (mlp, gpt):
            small = quantized(model)
            sizes = Q.compare_model_sizes(model, small)
            assert model_bytes(model) == sizes["original_bytes"]
            assert model_bytes(small) == sizes["quantized_bytes"]
            assert model_bytes(small) < 0.32 * model_bytes(model)
        x = Tensor(PIXELS[:5])
        small = quantized(mlp)
        before = model_bytes(small)
        memory = Profiler().measure_memory(small, x)
        assert memory.model_bytes == before == model_bytes(small)

    def test_os_level_memory_reduction(self):
        """108 MB of weights in a process of its own: the system sees three quarters of them go."""
        if not Path("/proc/self/statm").exists():
            pytest.skip("this system does not say how much memory a process holds")
        returning = os.environ | {"TINYTORCH_KEEP_MEMORY": "0"}  # else the framework keeps what is freed for itself
        done = subprocess.run(
            [sys.executable, "-c", RESIDENT], capture_output=True, text=True, check=True, env=returning
        )
        before, after, weights = map(int, done.stdout.split())
        assert before - after > 0.65 * weights


RESIDENT = """
import gc, os, warnings
from tinytorch.core.layers import Linear, Module
from tinytorch.optimization.quantization import quantize_model

def resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

class Wide(Module):
    def __init__(self):
        self.layers = [Linear(3000, 3000) for _ in range(3)]

warnings.simplefilter("ignore")
model = Wide()
before = resident()
quantize_model(model)
print(before, resident(), 3 * 4 * 3000 * 3000)
"""


class TestQuantizationSafety:
    """Nobody loses a model without being told."""

    def test_in_place_modification_warning(self, mlp):
        model = copy.deepcopy(mlp)
        with pytest.warns(UserWarning, match=r"in place.*lost.*copy\.deepcopy") as caught:
            assert Q.quantize_model(model) is model
        assert len(caught) == 1
        assert caught[0].filename == __file__
        assert isinstance(model.first, Q.QuantizedLinear)
        for words in ("in place", "lost", "copy.deepcopy"):
            assert words in Q.IN_PLACE

    def test_where_warnings_are_errors_nothing_is_lost(self, mlp):
        model = copy.deepcopy(mlp)
        with warnings.catch_warnings(), pytest.raises(UserWarning, match="in place"):
            warnings.simplefilter("error")
            Q.quantize_model(model)
        assert {type(layer) for layer in model.children()} == {Linear}

    def test_cannot_unquantize_model(self, mlp):
        small = quantized(mlp)
        with pytest.raises(RuntimeError, match=r"gone.*copy\.deepcopy"):
            Q.unquantize_model(small)
        with pytest.raises(AttributeError, match=r"gone.*copy\.deepcopy"):
            _ = small.first.weight.data
        before = small.state_dict()
        with pytest.raises(ValueError, match=r"first\.weight\.values"):
            small.load_state_dict(mlp.state_dict())
        for path, array in small.state_dict().items():
            np.testing.assert_array_equal(array, before[path])

    def test_deepcopy_prevents_modification(self, mlp):
        before, x = mlp.state_dict(), Tensor(PIXELS[TEST])
        wanted = answer(mlp, x)
        kept = copy.deepcopy(mlp)
        with pytest.warns(UserWarning):
            Q.quantize_model(kept, PIXELS[TRAIN])
        for path, array in mlp.state_dict().items():
            np.testing.assert_array_equal(array, before[path])
        np.testing.assert_array_equal(answer(mlp, x), wanted)
        assert isinstance(mlp.first, Linear)
        twin = copy.deepcopy(kept)
        twin.first.weight.values[...] = 0
        np.testing.assert_array_equal(answer(kept, x), answer(copy.deepcopy(kept), x))
        assert np.abs(kept.first.weight.values).max() == 127

    def test_quantizing_quantized_model_errors(self, mlp):
        small = quantized(mlp)
        values = small.first.weight.values.copy()
        with pytest.raises(ValueError, match="quantized already"):
            Q.quantize_model(small)
        np.testing.assert_array_equal(small.first.weight.values, values)
        part = copy.deepcopy(mlp)
        part.first = Q.QuantizedLinear(part.first)
        with pytest.raises(ValueError, match="quantized already"):
            Q.quantize_model(part)
        assert isinstance(part.second, Linear)

    @pytest.mark.parametrize("value", [0.0, 1.0, -3.5, 1e-30, 1e30])
    @pytest.mark.parametrize("symmetric", [False, True])
    def test_edge_case_constant_tensors(self, value, symmetric):
        x = np.full((3, 4), value, np.float32)
        for axis in (None, 0, 1):
            back = Q.dequantize_int8(*Q.quantize_int8(x, axis, symmetric))
            np.testing.assert_allclose(back, x, rtol=1e-6)


class TestQuantizationSystemIntegration:
    """Modules 01 to 15 before, and quantized models in their places."""

    def test_complete_system_01_to_15_stable(self, mlp, cnn, gpt):
        """What is quantized beside them changes nothing for the models that are not."""
        before = [answer(mlp, Tensor(PIXELS[:9])), answer(cnn, Tensor(IMAGES[:9])), answer(gpt, windows(0, 2)[:, :-1])]
        for model, data in ((mlp, PIXELS[:50]), (cnn, IMAGES[:50]), (gpt, windows(0, 4)[:, :-1])):
            quantized(model, data)
        after = [answer(mlp, Tensor(PIXELS[:9])), answer(cnn, Tensor(IMAGES[:9])), answer(gpt, windows(0, 2)[:, :-1])]
        for one, other in zip(before, after, strict=True):
            np.testing.assert_array_equal(one, other)
        manual_seed(3)
        fresh = fit(MLP(), PIXELS, epochs=2)
        assert right(fresh, Tensor(PIXELS[TEST])) > 0.7
        assert type(fresh.first) is Linear
        assert fresh.first.weight.grad.dtype == np.float32

    def test_quantized_dataloader_pipeline(self, mlp):
        """Batches calibrate, and the answers do not depend on how they are cut."""
        data = TensorDataset(PIXELS[:300], LABELS[:300])
        small = quantized(mlp, DataLoader(data, 64))
        np.testing.assert_array_equal(small.first.input_range, [0, PIXELS[:300].max()])
        cut = [answer(small, Tensor(x)) for x, _ in DataLoader(data, 37)]
        np.testing.assert_allclose(np.concatenate(cut), answer(small, Tensor(PIXELS[:300])), rtol=1e-5, atol=1e-5)

    def test_batches_of_images_and_labels_may_be_lists(self, mlp):
        pairs = [(PIXELS[:64], LABELS[:64]), (Tensor(PIXELS[64:99]), LABELS[64:99])]
        ranges = [quantized(mlp, [kind(pair) for pair in pairs]).first.input_range for kind in (tuple, list)]
        np.testing.assert_array_equal(*ranges)

    def test_quantized_training_workflow(self, mlp, tmp_path):
        """Quantize, fine-tune with the Trainer, save; load into a new model, which answers the same."""
        small = quantized(mlp, PIXELS[TRAIN], bits=3)
        loader = DataLoader(TensorDataset(PIXELS[TRAIN], LABELS[TRAIN]), 50, shuffle=True, generator=0)
        trainer = Trainer(small, Adam(small.parameters(), lr=3e-3), CrossEntropyLoss(), metrics={"accuracy": accuracy})
        trainer.train(loader, 3)
        assert trainer.history.loss[-1] < 0.9 * trainer.history.loss[0]
        save(small.state_dict(), tmp_path / "small.npz")
        manual_seed(9)
        other = quantized(MLP(), bits=3).eval()
        other.load_state_dict(load(tmp_path / "small.npz"))
        np.testing.assert_array_equal(answer(other, Tensor(PIXELS[TEST])), answer(small.eval(), Tensor(PIXELS[TEST])))
        assert other.first.weight.values.dtype == np.int8

    def test_quantization_plus_profiling(self, cnn):
        x, profiler = Tensor(IMAGES[:4]), Profiler()
        small = quantized(cnn, IMAGES[TRAIN])
        pixels = 4 * (64 + 8 * 16 + 64)
        assert profiler.count_flops(small, x) == profiler.count_flops(cnn, x) + 4 * pixels
        profile = profiler.profile(small, x, backward=True)
        assert {row.kind for row in profile.rows} >= {"QuantizedConv2d", "QuantizedLinear", "BatchNorm2d"}
        assert "forward" not in vars(small.conv1)

    @pytest.mark.parametrize("kind", [CNN, Residual, Mixed])
    def test_multimodal_model_quantization(self, kind, gpt):
        """Skip connections, a convolution before a transformer, and text and images side by side."""
        manual_seed(2)
        model = fit(kind(), IMAGES, epochs=2, lr=1e-2)
        small = quantized(model, IMAGES[TRAIN])
        assert error(model, small, Tensor(IMAGES[TEST])) < 0.02
        assert right(small, Tensor(IMAGES[TEST])) >= right(model, Tensor(IMAGES[TEST])) - 0.01
        x = Tensor(IMAGES[:3], requires_grad=True)
        small(x).sum().backward()
        assert np.isfinite(x.grad).all()
        assert np.abs(x.grad).max() > 0

        both = Module()
        both.sight, both.text = copy.deepcopy(model), copy.deepcopy(gpt)
        both = quantized(both)
        np.testing.assert_array_equal(
            answer(both.text, windows(0, 1)[:, :-1]), answer(quantized(gpt), windows(0, 1)[:, :-1])
        )
        assert {"QuantizedConv2d", "QuantizedEmbedding"} <= set(spied(both).values())

    def test_generation_gives_the_same_text(self, gpt):
        small = quantized(gpt, windows(0, 20)[:, :-1])
        prompt = IDS[:8]
        texts = [model.generate(prompt, 20, temperature=0.0) for model in (gpt, small)]
        assert (texts[0] == texts[1]).mean() > 0.8

    def test_tied_embeddings_stay_tied(self, gpt):
        small, before = quantized(gpt), model_bytes(gpt)
        table = small.embedding.weight
        assert sum(isinstance(module, Q.Int8Weight) and module is table for _, module in small.named_modules()) == 1
        ids = windows(0, 1)[:, :-1]
        table.scale[...] *= 2  # both uses see it
        doubled = answer(small, ids)
        assert np.abs(doubled - answer(quantized(gpt), ids)).max() > 0.1
        assert model_bytes(small) < 0.32 * before

    def test_weights_shared_by_layers_and_by_plain_attributes(self):
        class Shared(Module):
            def __init__(self):
                self.one, self.two = Linear(6, 6), Linear(6, 6)
                self.two.weight = self.one.weight
                self.again, self.also = self.one, self.one.weight

            def forward(self, x):
                return linear(self.again(self.two(self.one(x))), self.also)

        manual_seed(0)
        model = Shared()
        small, x = quantized(model), Tensor(np.random.default_rng(0).normal(size=(50, 6)))
        assert small.again is small.one
        assert small.two.weight is small.one.weight is small.also
        assert error(model, small, x) < 0.05
        assert not any(isinstance(part, Parameter) and part.ndim > 1 for part in small.parameters())


class Nothing(Module):
    def __init__(self):
        self.norm = BatchNorm2d(3)


class TestQuantizationEdgeCases:
    """Right, or a clear error and a model as it was."""

    def assert_untouched(self, model, before):
        assert {type(layer) for layer in model.children()} == {Linear}
        for path, array in model.state_dict().items():
            np.testing.assert_array_equal(array, before[path])

    @pytest.mark.parametrize(
        "data", [[], (), iter([]), np.zeros((0, 64), np.float32)], ids=["list", "tuple", "iterator", "no rows"]
    )
    def test_empty_calibration_data(self, mlp, data):
        model, before = copy.deepcopy(mlp), mlp.state_dict()
        with warnings.catch_warnings(), pytest.raises(ValueError, match="no calibration data"):
            warnings.simplefilter("error")  # nothing is lost, so there is nothing to warn of
            Q.quantize_model(model, data)
        self.assert_untouched(model, before)

    @pytest.mark.parametrize(
        ("data", "failure"),
        [
            ([PIXELS[:5], PIXELS[:5, :9]], "64"),
            (np.where(PIXELS[:5] > 0.5, np.nan, PIXELS[:5]), "nan or infinity"),
            (np.where(PIXELS[:5] > 0.5, np.inf, PIXELS[:5]), "nan or infinity"),
        ],
        ids=["shape", "nan", "inf"],
    )
    def test_calibration_that_fails_changes_nothing(self, mlp, data, failure):
        model, before = copy.deepcopy(mlp).train(), mlp.state_dict()
        with warnings.catch_warnings(), pytest.raises(ValueError, match=failure):
            warnings.simplefilter("error")
            Q.quantize_model(model, data)
        self.assert_untouched(model, before)
        assert model.training
        assert model.first.training

    def test_zero_weights_quantization(self):
        layer = Linear(8, 4)
        layer.weight.data[...] = 0
        small, x = Q.QuantizedLinear(layer), Tensor(np.ones((2, 8)))
        np.testing.assert_array_equal(small(x).data, layer(x).data)
        layer.weight.data[1] = 3.0
        np.testing.assert_allclose(Q.QuantizedLinear(layer)(x).data, layer(x).data, rtol=1e-5)

    @pytest.mark.parametrize("values", [[5, 6, 7], [-9, -8], [1e-38, 3e38], [-1e30, 1e-30], [42], [1e-44]])
    def test_extreme_activation_ranges(self, values):
        x = np.float32(values)
        for symmetric in (False, True):
            q, scale, zero = Q.quantize_int8(x, symmetric=symmetric)
            assert scale > 0
            assert np.isfinite(scale)
            error = np.abs(Q.dequantize_int8(q, scale, zero).astype(np.float64) - x)
            assert error.max() <= 0.5001 * np.float64(scale)

    def test_extreme_weights(self, mlp):
        model, x = copy.deepcopy(mlp), Tensor(PIXELS[TEST])
        model.first.weight.data[...] *= 1e20
        assert error(model, quantized(model), x) < 0.01
        for bad in (np.nan, np.inf, -np.inf):
            model, before = copy.deepcopy(mlp), mlp.state_dict()
            model.second.weight.data[3, 3] = before["second.weight"][3, 3] = bad
            with warnings.catch_warnings(), pytest.raises(ValueError, match=r"second.*nan or infinity"):
                warnings.simplefilter("error")  # refused before it says that anything changes
                Q.quantize_model(model)
            self.assert_untouched(model, before)

    def test_nan_inputs(self, mlp):
        x = PIXELS[:3].copy()
        x[1, 5] = np.nan
        with pytest.raises(ValueError, match="nan or infinity"):
            quantized(mlp)(Tensor(x))
        rows = answer(quantized(mlp, PIXELS[TRAIN]), Tensor(x))
        assert np.isnan(rows[1]).all()
        assert np.isfinite(rows[[0, 2]]).all()

    def test_model_with_no_linear_layers(self):
        for model in (Nothing(), Module()):
            with pytest.raises(ValueError, match="nothing to quantize"):
                Q.quantize_model(model)

    def test_single_layer_quantization_error(self):
        """A layer cannot be replaced in itself; alone, its error stays below one in a hundred."""
        manual_seed(0)
        layer = Linear(64, 32)
        with pytest.raises(TypeError, match=r"QuantizedLinear\(layer\)"):
            Q.quantize_model(layer)
        assert error(layer, Q.QuantizedLinear(layer), Tensor(PIXELS)) < 0.01
        for kind, name in ((Conv2d(1, 2, 3), "QuantizedConv2d"), ([], "Module"), (MLP, "Module")):
            with pytest.raises(TypeError, match=name):
                Q.quantize_model(kind)

    @pytest.mark.parametrize("bits", [1, 9, 0, -8, 8.0, True, "8", None])
    def test_bits_outside_a_byte(self, mlp, bits):
        with pytest.raises(ValueError, match="bits"):
            Q.quantize_model(mlp, bits=bits)
        assert type(mlp.first) is Linear

    @pytest.mark.parametrize("percentile", [50, 0, -1, 101, np.nan, "99", None, True])
    def test_percentiles_that_mean_nothing(self, mlp, percentile):
        with pytest.raises(ValueError, match="percentile"):
            Q.quantize_model(mlp, PIXELS[:9], percentile=percentile)
        assert type(mlp.first) is Linear

    def test_a_layer_that_no_data_reach_stays_dynamic(self):
        class Branch(Module):
            def __init__(self):
                self.used, self.unused = Linear(4, 4), Linear(4, 4)

            def forward(self, x):
                return self.used(x)

        small = quantized(Branch(), np.ones((3, 4), np.float32))
        np.testing.assert_array_equal(small.used.input_range, [0, 1])
        np.testing.assert_array_equal(small.unused.input_range, [0, 0])

    def test_subclasses_keep_their_own_forward(self):
        class Doubled(Linear):
            def forward(self, x):
                return 2 * super().forward(x)

        model = Module()
        model.own, model.plain = Doubled(3, 3), Linear(3, 3)
        small = quantized(model)
        assert type(small.own) is Doubled
        assert type(small.plain) is Q.QuantizedLinear
