"""FLOPs of every layer of modules 01 to 13: by hand, by numbers that count themselves, and of whole networks."""

import importlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinytorch import nn
from tinytorch.core.activations import Activation
from tinytorch.core.layers import Module
from tinytorch.core.tensor import Tensor
from tinytorch.models import GPT
from tinytorch.models.transformer import Bigram
from tinytorch.profiling.profiler import Counted, Profiler, flops_of, rule_for

SIZES = st.integers(1, 4)
B, T, C, H = 2, 5, 8, 4
N, K, SIDE = 3, 4, 6  # images, channels, height and width
PIXELS = N * K * SIDE * SIDE
TEXT, IMAGES = np.zeros((B, T, C)), np.zeros((N, K, SIDE, SIDE))
LABELS = np.zeros((B, T), np.intp)

# A layer, what it is called with, and its FLOPs by hand; those of layers inside it are added as they are.
BY_HAND = {
    "ReLU": (nn.ReLU(), [IMAGES], PIXELS),
    "Tanh": (nn.Tanh(), [IMAGES], PIXELS),
    "Sigmoid": (nn.Sigmoid(), [IMAGES], 4 * PIXELS),
    "GELU": (nn.GELU(), [IMAGES], 9 * PIXELS),
    "Softmax": (nn.Softmax(), [IMAGES], 5 * PIXELS),
    "Identity": (nn.Identity(), [IMAGES], 0),
    "Linear": (nn.Linear(C, 7), [TEXT], 2 * (B * T) * C * 7),
    "Linear without bias": (nn.Linear(C, 7, bias=False), [TEXT], 2 * (B * T) * C * 7),
    "Linear on one row": (nn.Linear(3, 2), [np.zeros(3)], 12),
    "Dropout in training": (nn.Dropout(0.5), [TEXT], 2 * B * T * C),
    "Dropout in evaluation": (nn.Dropout(0.5).eval(), [TEXT], 0),
    "Dropout of nothing": (nn.Dropout(0.0), [TEXT], 0),
    "MSELoss": (nn.MSELoss(), [TEXT, TEXT], 3 * TEXT.size),
    "CrossEntropyLoss": (nn.CrossEntropyLoss(), [TEXT, LABELS], 4 * TEXT.size),
    "BCELoss": (nn.BCELoss(), [TEXT + 0.5, TEXT], 8 * TEXT.size),
    "BCEWithLogitsLoss": (nn.BCEWithLogitsLoss(), [TEXT, TEXT], 10 * TEXT.size),
    "Conv2d": (nn.Conv2d(K, 5, 3, padding=1), [IMAGES], 2 * (N * 5 * SIDE * SIDE) * (K * 3 * 3)),
    "Conv2d, stride 2": (nn.Conv2d(K, 5, 2, stride=2), [IMAGES], 2 * (N * 5 * 3 * 3) * (K * 2 * 2)),
    "Conv2d, dilated": (nn.Conv2d(K, 5, 2, dilation=3), [IMAGES], 2 * (N * 5 * 3 * 3) * (K * 2 * 2)),
    "Conv2d, two groups": (nn.Conv2d(K, 6, (1, 3), groups=2), [IMAGES], 2 * (N * 6 * 6 * 4) * (2 * 3)),
    "Conv2d by channel": (nn.Conv2d(K, K, 3, groups=K, bias=False), [IMAGES], 2 * (N * K * 4 * 4) * 9),
    "MaxPool2d": (nn.MaxPool2d(2), [IMAGES], (N * K * 3 * 3) * 4),
    "MaxPool2d, overlapping": (nn.MaxPool2d(3, stride=1), [IMAGES], (N * K * 4 * 4) * 9),
    "AvgPool2d": (nn.AvgPool2d((2, 3)), [IMAGES], (N * K * 3 * 2) * (6 + 1)),
    "AdaptiveAvgPool2d": (nn.AdaptiveAvgPool2d(1), [IMAGES], N * K * (SIDE * SIDE + 1)),
    "AdaptiveAvgPool2d, overlapping": (nn.AdaptiveAvgPool2d((4, 6)), [IMAGES], N * K * ((4 * 2) * 6 + 24)),
    "Flatten": (nn.Flatten(), [IMAGES], 0),
    "BatchNorm2d in training": (nn.BatchNorm2d(K), [IMAGES], 7 * PIXELS),
    "BatchNorm2d in evaluation": (nn.BatchNorm2d(K).eval(), [IMAGES], 3 * PIXELS),
    "Embedding": (nn.Embedding(11, C), [LABELS], 0),
    "Bigram": (Bigram(np.ones((3, 3))), [LABELS], 0),
    "PositionalEncoding": (nn.PositionalEncoding(T, C), [TEXT], TEXT.size),
    "LayerNorm": (nn.LayerNorm(C), [TEXT], 7 * TEXT.size),
    "MultiHeadAttention": (
        nn.MultiHeadAttention(C, H), [TEXT],
        (6 + 2) * B * T * C * C + 4 * B * T * T * C + 6 * B * H * T * T,
    ),
    "MultiHeadAttention to others": (
        nn.MultiHeadAttention(C, H), [TEXT, TEXT[:, :3]],
        2 * B * (T + 3 + 3) * C * C + 4 * B * T * 3 * C + 6 * B * H * T * 3 + 2 * B * T * C * C,
    ),
    "FeedForward": (nn.FeedForward(C), [TEXT], 2 * (B * T) * (2 * C * 4 * C) + 9 * (B * T) * 4 * C),
    "TransformerBlock": (
        nn.TransformerBlock(C, H), [TEXT],
        24 * B * T * C * C + 4 * B * T * T * C + 6 * B * H * T * T + 9 * B * T * 4 * C + (2 + 2 * 7) * B * T * C,
    ),
}  # fmt: skip


def as_inputs(arrays):
    return [Tensor(a) if a.dtype.kind == "f" else a for a in arrays]


def flops(layer, *arrays):
    return Profiler().count_flops(layer, *as_inputs(arrays))


def layers_of_the_course():
    """Every Module and activation that modules 01 to 13 define, bases aside."""
    rooms = ("core.activations", "core.layers", "core.losses", "core.spatial", "text.embeddings", "core.attention",
             "models.transformer")  # fmt: skip
    bases = {"Module", "Activation", "AttentionBase", "LanguageModel"}
    for room in rooms:
        module = importlib.import_module(f"tinytorch.{room}")
        for name, value in vars(module).items():
            own = isinstance(value, type) and value.__module__ == module.__name__ and name == value.__name__
            if own and issubclass(value, Module | Activation) and name not in bases:
                yield value


class TestEveryLayer:
    @pytest.mark.parametrize("name", BY_HAND)
    def test_by_hand(self, name):
        layer, arrays, wanted = BY_HAND[name]
        assert flops(layer, *arrays) == wanted

    def test_none_is_left_out(self):
        kinds = set(layers_of_the_course())
        assert len(kinds) >= 25
        assert {kind.__name__ for kind in kinds if rule_for(object.__new__(kind)) is None} == set()
        tried = {type(layer) for layer, _, _ in BY_HAND.values()}
        assert kinds - tried == {GPT}  # in total, below

    def test_a_subclass_has_the_rule_of_its_parent_and_may_register_its_own(self):
        class Scaled(nn.Linear):
            def forward(self, x):
                return super().forward(x) * 2

        x = Tensor(np.zeros((2, 3)))
        assert Profiler().count_flops(Scaled(3, 5), x) == 60

        @flops_of(Scaled)
        def scaled_flops(layer, out, x):
            return 2 * out.numel() * layer.in_features + out.numel()

        assert Profiler().count_flops(Scaled(3, 5), x) == 70
        assert Profiler().count_flops(nn.Linear(3, 5), x) == 60


class Counting:
    """Layers in plain loops over numbers that count themselves; every sum starts at a bias or at 0."""

    def __init__(self):
        Counted.done = 0

    def linear(self, rows, inputs, outputs):
        for _ in range(rows * outputs):
            total = Counted(0.5)
            for _ in range(inputs):
                total = total + Counted(1) * Counted(2)
        return Counted.done

    def conv(self, shape, out_channels, kernel, stride, groups):
        images, channels, height, width = shape
        for _ in range(images * out_channels):
            for _ in range(0, height - kernel + 1, stride):
                for _ in range(0, width - kernel + 1, stride):
                    total = Counted(0.5)
                    for _ in range(channels // groups * kernel * kernel):
                        total = total + Counted(1) * Counted(2)
        return Counted.done


class TestAgainstCountedNumbers:
    @given(SIZES, SIZES, SIZES)
    def test_linear(self, rows, inputs, outputs):
        assert flops(nn.Linear(inputs, outputs), np.zeros((rows, inputs))) == Counting().linear(rows, inputs, outputs)

    @given(st.integers(1, 2), st.integers(1, 2), st.integers(1, 2), st.integers(1, 3), st.integers(1, 2), SIZES)
    def test_convolution(self, images, channels, factor, kernel, stride, more):
        shape = (images, 2 * channels, kernel + more, kernel + 2)
        for groups in (1, 2):
            layer = nn.Conv2d(2 * channels, 2 * factor, kernel, stride=stride, groups=groups)
            assert flops(layer, np.zeros(shape)) == Counting().conv(shape, 2 * factor, kernel, stride, groups)

    def test_numpy_counts_with_them_too(self):
        """`@` of arrays of objects: one addition less for each sum, which starts at its first product."""
        a = np.array([[Counted(i + j) for j in range(4)] for i in range(3)])
        b = np.array([[Counted(i - j) for j in range(2)] for i in range(4)])
        Counted.done = 0
        product = a @ b
        assert Counted.done == 3 * 2 * (4 + 3)
        plain = np.add.outer(np.arange(3), np.arange(4)) @ np.subtract.outer(np.arange(4), np.arange(2))
        np.testing.assert_array_equal(product.astype(float), plain)


class TestWholeNetworks:
    @pytest.mark.parametrize("sizes", [(65, 128, 128, 4, 4, 2), (11, 6, 8, 1, 2, 3)])
    def test_gpt_in_total(self, sizes):
        """24 C^2 and 4 T C for each token and block, the smaller terms, and the tied head."""
        vocabulary, context, width, layers, heads, batch = sizes
        tokens = batch * context
        products = layers * (24 * width**2 + 4 * context * width) + 2 * width * vocabulary
        softmax = layers * 6 * heads * context
        others = layers * (9 * 4 * width + 2 * width + 2 * 7 * width) + 7 * width + width
        model = GPT(vocabulary, context, width, layers, heads)
        assert Profiler().count_flops(model, np.zeros((batch, context), int)) == tokens * (products + softmax + others)

    def test_gpt_is_near_two_for_each_parameter_and_token(self):
        """The rule of thumb of Kaplan et al. (2020): 2 N a token, where the context is short."""
        model = GPT(65, 8, d_model=128, num_layers=4, num_heads=4)
        blocks = sum(p.numel() for name, p in model.named_parameters() if "blocks" in name)
        assert Profiler().count_flops(model, np.zeros((1, 8), int)) / 8 == pytest.approx(2 * blocks, rel=0.05)

    def test_cnn_in_total(self):
        class LeNet(nn.Module):
            def __init__(self):
                self.conv1, self.conv2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
                self.relu, self.pool, self.flatten = nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()
                self.hidden, self.out = nn.Linear(400, 120), nn.Linear(120, 10)

            def forward(self, x):
                x = self.pool(self.relu(self.conv1(x)))  # (N, 6, 14, 14)
                x = self.pool(self.relu(self.conv2(x)))  # (N, 16, 5, 5)
                return self.out(self.relu(self.hidden(self.flatten(x))))

        n = 3
        first, second = 6 * 28 * 28, 16 * 10 * 10
        convolutions = 2 * first * 25 + 2 * second * 150
        pointwise = (first + second + 120) + (first + second)  # relu; four comparisons for a quarter of the places
        wanted = n * (convolutions + pointwise + 2 * 400 * 120 + 2 * 120 * 10)
        assert Profiler().count_flops(LeNet(), Tensor(np.zeros((n, 1, 28, 28)))) == wanted

    def test_a_layer_called_twice_counts_twice_and_its_parameters_once(self):
        class Twice(nn.Module):
            def __init__(self):
                self.first = nn.Linear(4, 4)
                self.second = self.first

            def forward(self, x):
                return self.second(self.first(self.first(x)))

        profile = Profiler().profile(Twice(), Tensor(np.zeros((5, 4))), iterations=1)
        rows = {row.path: row for row in profile.rows}
        assert set(rows) == {"", "first"}
        assert (rows["first"].calls, rows["first"].flops, rows["first"].parameters) == (3, 3 * 160, 20)
        assert (profile.flops, profile.parameters) == (480, 20)
        assert (rows[""].calls, rows[""].flops) == (1, None)
