"""Module 09 on the student's stack: earlier modules still work, this module's layers, and a network that learns."""

import numpy as np
import pytest

from tinytorch.core import spatial as S
from tinytorch.core.activations import relu
from tinytorch.core.autograd import gradient_check, no_grad
from tinytorch.core.layers import Linear, Module
from tinytorch.core.losses import cross_entropy
from tinytorch.core.tensor import ShapeError, Tensor, manual_seed


def images(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


class Net(Module):
    """conv, batch norm, ReLU, pool, strided conv, mean, linear."""

    def __init__(self):
        self.first = S.Conv2d(2, 6, 3, padding=1)
        self.norm = S.BatchNorm2d(6)
        self.pool = S.MaxPool2d(2)
        self.second = S.Conv2d(6, 4, 3, stride=2, padding=1, groups=2)
        self.mean = S.AdaptiveAvgPool2d(2)
        self.flatten = S.Flatten()
        self.output = Linear(16, 3)

    def forward(self, x):
        h = self.pool(relu(self.norm(self.first(x))))  # (N, 2, 8, 8) -> (N, 6, 4, 4)
        h = self.mean(relu(self.second(h)))  # (N, 6, 4, 4) -> (N, 4, 2, 2)
        return self.output(self.flatten(h))  # (N, 16) -> (N, 3)


class TestEarlierModules:
    def test_module_finds_parameters_and_buffers(self):
        names = list(Net().state_dict())
        assert names[:2] == ["first.weight", "first.bias"]
        assert {"norm.running_mean", "norm.running_var"} <= set(names)
        assert len(Net().parameters()) == 8

    def test_elementwise_operations_keep_the_order_in_memory(self):
        y = S.conv2d(Tensor(images(4, 3, 8, 8)), Tensor(images(5, 3, 3, 3)))
        assert y.shape == (4, 5, 6, 6)
        for result in (y, relu(y), y * 2 + 1, S.max_pool2d(y, 2), S.batch_norm(y, None, None, training=True)):
            assert result.data.swapaxes(0, 1).flags.c_contiguous

    def test_linear_and_losses_read_any_order(self):
        y = S.conv2d(Tensor(images(4, 3, 8, 8)), Tensor(images(5, 3, 3, 3)))
        copy = Tensor(np.ascontiguousarray(y.data))
        np.testing.assert_array_equal(y.reshape(4, -1).data, copy.reshape(4, -1).data)
        np.testing.assert_allclose(y.sum(axis=(0, 2)).data, copy.sum(axis=(0, 2)).data, rtol=1e-4, atol=1e-4)


class TestValues:
    @pytest.mark.parametrize("order", ["C", "F"])
    def test_any_input_layout_gives_the_same(self, order):
        x, w = images(2, 4, 6, 5), images(4, 4, 3, 3, seed=1)
        for function in (
            lambda t: S.conv2d(t, Tensor(w), padding=1),
            lambda t: S.max_pool2d(t, 2),
            lambda t: S.avg_pool2d(t, 3, stride=1, padding=1),
            lambda t: S.batch_norm(t, None, None, training=True),
            lambda t: S.adaptive_avg_pool2d(t, 2),
        ):
            layouts = [x, np.asarray(x, order=order), np.ascontiguousarray(x.transpose(1, 0, 2, 3)).swapaxes(0, 1)]
            results = []
            for layout in layouts:
                t = Tensor(x, requires_grad=True)
                t.data = layout
                y = function(t)
                y.backward(np.ones(y.shape))
                results.append((y.data, t.grad))
            for y, grad in results[1:]:
                np.testing.assert_allclose(y, results[0][0], rtol=1e-5, atol=1e-6)
                np.testing.assert_allclose(grad, results[0][1], rtol=1e-5, atol=1e-6)

    def test_initial_weights_are_uniform_in_the_bound_of_the_fan_in(self):
        manual_seed(0)
        layer = S.Conv2d(8, 64, (3, 5), groups=2)
        bound = 1 / np.sqrt(4 * 15)
        for values in (layer.weight.data, layer.bias.data):
            assert 0.9 * bound < np.abs(values).max() <= bound
        assert abs(layer.weight.data.std() - bound / np.sqrt(3)) < 0.02 * bound
        assert S.Conv2d(1, 1, 3, bias=False).bias is None

    def test_max_pool_sends_a_tie_to_the_first(self):
        x = Tensor(np.ones((1, 1, 2, 4)), requires_grad=True)
        S.max_pool2d(x, 2).sum().backward()
        np.testing.assert_array_equal(x.grad, [[[[1, 0, 1, 0], [0, 0, 0, 0]]]])

    def test_max_pool_padding_never_wins(self):
        x = Tensor(-np.ones((1, 1, 3, 3)))
        np.testing.assert_array_equal(S.max_pool2d(x, 3, stride=1, padding=1).data, -np.ones((1, 1, 3, 3)))

    def test_average_counts_the_padding(self):
        got = S.avg_pool2d(Tensor(np.ones((1, 1, 2, 2))), 2, stride=1, padding=1).data[0, 0]
        np.testing.assert_allclose(got, [[0.25, 0.5, 0.25], [0.5, 1, 0.5], [0.25, 0.5, 0.25]])

    def test_batch_norm_remembers_and_evaluation_uses_it(self):
        layer, x = S.BatchNorm2d(3, momentum=0.5), images(4, 3, 5, 5) * 2 + 7
        layer(Tensor(x))
        np.testing.assert_allclose(layer.running_mean, 0.5 * x.mean(axis=(0, 2, 3)), rtol=1e-5)
        np.testing.assert_allclose(layer.running_var, 0.5 + 0.5 * x.var(axis=(0, 2, 3), ddof=1), rtol=1e-5)
        before = layer.state_dict()
        alone = layer.eval()(Tensor(x[:1])).data
        np.testing.assert_allclose(layer(Tensor(x)).data[:1], alone, rtol=1e-6)
        for name, value in layer.state_dict().items():
            np.testing.assert_array_equal(value, before[name])

    def test_flatten_keeps_the_reader_s_order(self):
        x = images(2, 3, 4, 5)
        moved = Tensor(x)
        moved.data = np.ascontiguousarray(x.swapaxes(0, 1)).swapaxes(0, 1)
        np.testing.assert_array_equal(S.Flatten()(moved).data, x.reshape(2, 60))
        assert S.Flatten(0, 1)(moved).shape == (6, 4, 5)
        assert S.Flatten(2)(moved).shape == (2, 3, 20)

    def test_an_empty_batch_passes_through(self):
        x = Tensor(np.zeros((0, 3, 8, 8)), requires_grad=True)
        y = S.max_pool2d(S.conv2d(x, Tensor(images(4, 3, 3, 3))), 2)
        assert y.shape == (0, 4, 3, 3)
        y.sum().backward()
        assert x.grad.shape == (0, 3, 8, 8)

    def test_aliases(self):
        assert S.Conv2D is S.Conv2d
        assert S.MaxPool2D is S.MaxPool2d


class TestGradients:
    @pytest.mark.parametrize(
        "groups, options",
        [(1, {}), (1, {"padding": 1}), (1, {"padding": 3}), (2, {"padding": (0, 2)}), (1, {"stride": 2, "padding": 1}),
         (4, {"stride": (1, 2)}), (2, {"dilation": (2, 1), "padding": 2}), (1, {"stride": 3, "dilation": 2})],
    )  # fmt: skip
    @pytest.mark.parametrize("out", [4, 8])
    def test_convolution_has_the_measured_slope(self, groups, options, out):
        x, w, b = images(2, 4, 6, 5), images(out, 4 // groups, 3, 2, seed=1), images(out, seed=2)
        gradient_check(lambda x, w, b: S.conv2d(x, w, b, groups=groups, **options), x, w, b)

    @pytest.mark.parametrize(
        "kernel, options", [(2, {}), (3, {"stride": 1, "padding": 1}), ((2, 3), {"stride": (1, 2)})]
    )
    def test_poolings_have_the_measured_slope(self, kernel, options):
        x = np.random.default_rng(0).permutation(120).reshape(2, 2, 6, 5) / 10
        gradient_check(lambda x: S.max_pool2d(x, kernel, **options), x)
        gradient_check(lambda x: S.avg_pool2d(x, kernel, **options), x)
        gradient_check(lambda x: S.adaptive_avg_pool2d(x, (4, 3)), x)

    @pytest.mark.parametrize("training", [True, False])
    def test_batch_norm_has_the_measured_slope(self, training):
        x, w, b = images(3, 2, 2, 4), images(2, seed=1) + 2, images(2, seed=2)
        mean, var = np.float32([0.5, -1]), np.float32([2, 0.5])
        gradient_check(lambda x, w, b: S.batch_norm(x, mean.copy(), var.copy(), w, b, training), x, w, b)

    def test_only_what_is_needed_gets_a_gradient(self):
        for needs in [(True, False, False), (False, True, False), (False, False, True), (True, True, True)]:
            x, w, b = (Tensor(images(*s), n) for s, n in zip([(2, 3, 5, 5), (4, 3, 3, 3), (4,)], needs, strict=True))
            S.conv2d(x, w, b).sum().backward()
            assert [t.grad is not None for t in (x, w, b)] == list(needs)

    def test_two_backwards_add_up(self):
        x, w = Tensor(images(2, 3, 5, 5), True), Tensor(images(3, 3, 3, 3), True)
        S.conv2d(x, w).sum().backward()
        once = x.grad.copy(), w.grad.copy()
        S.conv2d(x, w).sum().backward()
        np.testing.assert_allclose(x.grad, 2 * once[0], rtol=1e-5)
        np.testing.assert_allclose(w.grad, 2 * once[1], rtol=1e-5)

    def test_writing_into_a_saved_image_is_refused(self):
        x, w = Tensor(images(1, 1, 4, 4)), Tensor(images(1, 1, 3, 3), True)
        y = S.conv2d(x, w)
        with pytest.raises(ValueError, match="saved for backward"):
            x.data[0] = 0
        y.sum().backward()
        x.data[0] = 0


class TestErrors:
    @pytest.mark.parametrize(
        "call, words",
        [
            (lambda: S.conv2d(Tensor(images(1, 3, 4, 4)), Tensor(images(2, 3, 5, 5))), ["5", "4", "pad"]),
            (lambda: S.conv2d(Tensor(images(1, 2, 4, 4)), Tensor(images(2, 3, 3, 3))), ["2 channels", "expected 3"]),
            (lambda: S.conv2d(Tensor(images(3, 4, 4)), Tensor(images(2, 3, 3, 3))), [r"\(3, 4, 4\)", "unsqueeze"]),
            (lambda: S.conv2d(Tensor(images(1, 3, 4, 4)), Tensor(images(3, 3))), [r"\(3, 3\)"]),
            (
                lambda: S.conv2d(Tensor(images(1, 4, 4, 4)), Tensor(images(3, 2, 3, 3)), groups=2),
                ["2 groups", "3 kernels"],
            ),
            (lambda: S.conv2d(Tensor(images(1, 3, 4, 4)), Tensor(images(2, 3, 3, 3)), Tensor(images(3))), [r"\(3,\)"]),
            (lambda: S.conv2d(Tensor(images(1, 3, 4, 4)), Tensor(images(2, 3, 3, 3)), stride=0), ["stride"]),
            (lambda: S.Conv2d(4, 6, 3, groups=4), ["4 groups", "6 output"]),
            (lambda: S.Conv2d(3, 6, (3, 3, 3)), ["pair"]),
            (lambda: S.Conv2d(3, 6, 0), ["at least 1"]),
            (lambda: S.Conv2d(3, 6, 2.5), ["whole number"]),
            (lambda: S.max_pool2d(Tensor(images(1, 3, 4, 4)), 5), ["5", "4"]),
            (lambda: S.max_pool2d(Tensor(images(1, 3, 4, 4)), 2, padding=2), ["half"]),
            (lambda: S.max_pool2d(Tensor(images(3, 4)), 2), [r"\(3, 4\)"]),
            (lambda: S.avg_pool2d(Tensor(images(3, 4)), 2), [r"\(3, 4\)"]),
            (lambda: S.adaptive_avg_pool2d(Tensor(images(3, 4)), 2), [r"\(3, 4\)"]),
            (lambda: S.BatchNorm2d(3)(Tensor(images(2, 4, 5, 5))), ["4 channels", "expected 3"]),
            (lambda: S.BatchNorm2d(3)(Tensor(images(2, 3))), [r"\(2, 3\)"]),
            (lambda: S.BatchNorm2d(0), ["at least 1"]),
        ],
    )
    def test_the_message_names_the_sizes(self, call, words):
        with pytest.raises(ValueError) as raised:
            call()
        for word in words:
            assert raised.match(word)

    def test_one_value_per_channel_is_refused_before_anything_changes(self):
        layer = S.BatchNorm2d(3)
        before = layer.state_dict()
        with pytest.raises(ShapeError, match=r"\(1, 3, 1, 1\).*eval"):
            layer(Tensor(images(1, 3, 1, 1)))
        for name, value in layer.state_dict().items():
            np.testing.assert_array_equal(value, before[name])
        assert layer.eval()(Tensor(images(1, 3, 1, 1))).shape == (1, 3, 1, 1)


class TestStack:
    def test_a_network_learns_and_its_state_travels(self):
        manual_seed(0)
        x, labels = images(48, 2, 8, 8), np.arange(48) % 3
        x[np.arange(48), 0, 2 + 2 * labels, 3] += 6  # a bright spot whose height is the class
        net, losses = Net(), []
        for _ in range(60):
            loss = cross_entropy(net(Tensor(x)), labels)
            loss.backward()
            losses.append(loss.item())
            for parameter in net.parameters():
                parameter.data -= np.float32(0.2) * parameter.grad
                parameter.zero_grad()
        assert losses[-1] < 0.3 * losses[0]
        twin = Net()
        twin.load_state_dict(net.state_dict())
        net.eval(), twin.eval()
        with no_grad():
            np.testing.assert_array_equal(twin(Tensor(x)).data, net(Tensor(x)).data)

    def test_training_steps_leave_nothing_behind(self, objects_left):
        net, x, labels = Net(), Tensor(images(4, 2, 8, 8)), [0, 1, 2, 0]

        def step():
            cross_entropy(net(x), labels).backward()
            net.zero_grad()

        assert objects_left(step, times=50) < 10
