"""Module 14 and the stack below it: earlier modules still work, this module's instruments, whole models measured."""

import json
import subprocess
import sys
import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinytorch import nn
from tinytorch.core.autograd import no_grad
from tinytorch.core.losses import cross_entropy
from tinytorch.core.optimizers import AdamW
from tinytorch.core.tensor import Tensor
from tinytorch.models import GPT
from tinytorch.profiling import profiler as P

IDS = np.random.default_rng(0).integers(0, 11, size=(2, 6))
RATES = st.floats(0.5, 1000)


def small():
    return GPT(11, context=6, d_model=8, num_layers=2, num_heads=2, seed=0)


LARGE = """
import numpy as np
from tinytorch import Tensor, nn
from tinytorch.profiling import Profiler

class Large(nn.Module):
    def forward(self, x):
        return Tensor(np.ones(1 << 24, np.float32))

print(Profiler().measure_memory(Large(), Tensor([1.0])).resident_growth)
"""


class Net(nn.Module):
    """A linear layer used twice, activations on the model and in a list, an unused layer."""

    def __init__(self):
        self.first, self.relu = nn.Linear(6, 6), nn.ReLU()
        self.tail, self.unused = [nn.Linear(6, 3), nn.Softmax()], nn.Linear(2, 2)

    def forward(self, x):
        x = self.relu(self.first(self.first(x)))
        return self.tail[1](self.tail[0](x))


class Slow(nn.Module):
    """Waits, and waits again in a layer of its own."""

    def __init__(self, seconds, inside):
        self.seconds, self.inside = seconds, inside
        self.layer = Slow(inside, 0) if inside else None

    def forward(self, x):
        time.sleep(self.seconds)
        return self.layer(x) if self.layer else x


class TestEarlierModules:
    def test_a_model_trains_after_it_was_profiled(self):
        model = small()
        P.Profiler().profile(model, IDS, backward=True)
        optimizer = AdamW(model.parameters(), lr=1e-2)
        losses = []
        for _ in range(20):
            loss = cross_entropy(model(IDS[:, :-1]), IDS[:, 1:])
            model.zero_grad()
            loss.backward(np.float32(1))
            losses.append(loss.item())
            optimizer.step()
        assert losses[-1] < losses[0] - 0.5

    def test_generation_is_the_same(self):
        model = small()
        before = model.generate(IDS[0, :3], 3, seed=1)
        P.Profiler().profile(model, IDS)
        np.testing.assert_array_equal(model.generate(IDS[0, :3], 3, seed=1), before)

    def test_observing_does_not_change_what_is_computed(self):
        model = small()
        wanted = model(IDS).data
        with P.observing(model, P.Tape().watch), no_grad():
            np.testing.assert_array_equal(model(IDS).data, wanted)

    def test_other_models_are_not_watched(self):
        tape, other = P.Tape(), nn.Linear(6, 3)
        with P.observing(Net(), tape.watch):
            other(Tensor(np.ones((2, 6))))
        assert tape.calls == []


class TestParts:
    @given(st.recursive(st.just([]), lambda inner: st.lists(inner, max_size=4), max_leaves=12), st.data())
    def test_own_times_of_any_tree(self, tree, data):
        """Property: a span's own time is what was waited in it outside those inside it."""
        spans, wanted, clock = [], [], 0

        def wait(place):
            nonlocal clock
            seconds = data.draw(st.integers(1, 9))
            clock, wanted[place] = clock + seconds, wanted[place] + seconds

        def spend(branches):
            place, begin = len(spans), clock
            spans.append(None)
            wanted.append(0)
            wait(place)
            for branch in branches:
                spend(branch)
                wait(place)
            spans[place] = (begin, clock)

        spend(tree)
        assert P.own_times(spans) == wanted

    @given(st.lists(st.floats(0, 1000), min_size=1, max_size=20), st.floats(0, 100))
    def test_percentile_against_numpy(self, samples, q):
        assert P.percentile(samples, q) == pytest.approx(np.percentile(samples, q), rel=1e-9, abs=1e-9)

    @given(st.integers(0, 10**9), st.integers(1, 10**9), RATES, RATES)
    def test_the_roof_bounds_the_time(self, flops, moved, peak, bandwidth):
        """Property: whoever runs at the roof needs exactly the least time."""
        least = P.least_ms(flops, moved, peak, bandwidth)
        rate = P.attainable(P.intensity(flops, moved), peak, bandwidth)
        assert least * bandwidth * 1e6 >= moved * (1 - 1e-9) and least * peak * 1e6 >= flops * (1 - 1e-9)
        assert flops / 1e6 == pytest.approx(rate * least, rel=1e-9, abs=1e-12)

    @given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5), st.booleans()), max_size=8))
    def test_bytes_of_views(self, picks):
        """Property: views weigh what they look into, once."""
        owners = [np.zeros((5, n + 1), dtype) for n, dtype in enumerate((np.int8, np.float32, np.float64, bool))]
        views = [owners[n][:rows].T if turned else owners[n][rows - 1] for n, rows, turned in picks]
        assert P.count_bytes(views) == sum(owners[n].nbytes for n in {n for n, _, _ in picks})


class TestWeights:
    def test_tied_and_shared_arrays_count_once(self):
        model = small()
        assert P.model_bytes(model) == 4 * sum(p.numel() for p in model.parameters())
        layer = nn.Linear(3, 2)
        layer.twin, layer.list = layer.weight, [layer.weight, {"again": layer.bias}]
        assert P.model_bytes(layer) == 4 * 8
        assert P.Profiler().count_parameters(layer) == 8

    def test_every_kind_of_array(self):
        layer = nn.Module()
        layer.register_buffer("weight", np.zeros((4, 5), np.int8))
        layer.register_buffer("mask", np.ones(7, bool))
        layer.hidden = [np.zeros(3), {"copy": Tensor(np.zeros((2, 2)))}]
        assert P.model_bytes(layer) == 20 + 7 + 24 + 16
        assert P.Profiler().count_parameters(layer) == 0

    def test_a_hidden_view_is_found_out(self):
        layer = nn.Linear(1000, 10)
        layer.row = np.zeros((500, 1000), np.float32)[3]
        assert P.model_bytes(layer) == 4 * (10_010 + 500_000)

    def test_sparsity(self):
        model, profiler = Net(), P.Profiler()
        model.first.weight.data[...] = np.eye(6)
        model.first.bias.data[...] = 0
        zeros, weights = 30, 36 + 18 + 4
        assert profiler.measure_sparsity(model) == pytest.approx(zeros / weights)
        assert profiler.count_parameters(model) - profiler.count_nonzero(model) == zeros + 6
        assert profiler.measure_sparsity(nn.Module()) == 0


class TestTimes:
    def test_latency_of_a_layer_that_waits(self):
        latency = P.Profiler().measure_latency(Slow(0.02, 0), Tensor([1.0]), warmup=1, iterations=5)
        assert len(latency.samples) == 5
        assert 20 <= latency.low_ms <= latency.median_ms <= latency.p90_ms <= latency.p99_ms <= max(latency.samples)
        assert latency.low_ms <= latency.mean_ms <= max(latency.samples)
        assert str(latency).startswith(f"low {latency.low_ms:.3f}, median")

    def test_own_and_inner_time(self):
        profile = P.Profiler().profile(Slow(0.02, 0.06), Tensor([1.0]), iterations=3)
        outer, inner = profile.rows
        assert outer.forward_ms >= 20 and inner.forward_ms >= 60
        assert profile.forward_ms == pytest.approx(outer.forward_ms + inner.forward_ms)
        assert outer.forward_ms < inner.forward_ms

    def test_backward_belongs_to_the_layers(self):
        """The walk has a stretch for each layer that left nodes, last layer first; what waits there is its own."""
        profile = P.Profiler().profile(Net(), Tensor(np.ones((2, 6))), backward=True)
        rows = {row.path: row for row in profile.rows}
        assert rows["unused"].backward_ms == 0 == rows["unused"].calls
        assert all(rows[path].backward_ms > 0 for path in ("first", "relu", "tail.0", "tail.1"))
        order = list(dict.fromkeys(path for path, _, _ in profile.walk))
        assert order == ["tail.1", "tail.0", "relu", "first"]
        assert 0 < profile.backward_ms <= sum(end - begin for _, begin, end in profile.walk) * 1e3 + 1e-6

    def test_backward_of_work_between_the_layers(self):
        class Between(nn.Module):
            def __init__(self):
                self.layer = nn.Linear(3, 3)

            def forward(self, x):
                return (self.layer(x) * 2).exp()

        profile = P.Profiler().profile(Between(), Tensor(np.ones((2, 3))), backward=True)
        assert [path for path, _, _ in profile.walk][:2] == ["", ""]
        assert profile.rows[0].backward_ms > 0

    def test_gradients_are_right_while_backward_is_watched(self):
        model, plain = small(), small()
        tape = P.Tape(recorded=True)
        with P.observing(model, tape.watch):
            loss = model(IDS).sum()
        P.watch_backward(loss, tape.calls)
        plain(IDS).sum().backward()
        for p, q in zip(model.parameters(), plain.parameters(), strict=True):
            np.testing.assert_array_equal(p.grad, q.grad)

    def test_what_disturbs_one_pass_is_not_in_the_rows(self):
        """Each call has the shortest time of all passes, whichever pass was disturbed where."""

        class Disturbed(nn.Module):
            calls = 0

            def forward(self, x):
                Disturbed.calls += 1
                time.sleep(0.03 * (Disturbed.calls % 2))
                return x

        class Two(nn.Module):
            def __init__(self):
                self.one, self.relu, self.two = Disturbed(), nn.ReLU(), Disturbed()

            def forward(self, x):
                return self.two(self.relu(self.one(x)))

        rows = P.Profiler().profile(Two(), Tensor([1.0]), warmup=0, iterations=9).rows
        assert [row.path for row in rows] == ["", "one", "relu", "two"]
        assert min(row.forward_ms for row in rows) < 5 and max(row.forward_ms for row in rows) >= 30

    def test_a_model_that_takes_another_way_each_time(self):
        class Random(nn.Module):
            def __init__(self):
                self.layer, self.way = nn.ReLU(), iter(range(1000))

            def forward(self, x):
                for _ in range(next(self.way) % 3):
                    x = self.layer(x)
                return x

        rows = P.Profiler().profile(Random(), Tensor([1.0]), iterations=6).rows
        assert [row.path for row in rows] == ["", "layer"] and rows[1].calls in {0, 1, 2}

    def test_overhead_is_small_against_a_model_that_waits(self):
        profile = P.Profiler().profile(Slow(0.01, 0.01), Tensor([1.0]))
        assert abs(profile.overhead_ms) < 5

    def test_modes_are_measured_as_they_are(self):
        x, layer = Tensor(np.ones((4, 4))), nn.Dropout(0.5)
        assert [P.Profiler().count_flops(layer.train(mode), x) for mode in (True, False)] == [32, 0]


class TestMemory:
    def test_bytes_of_a_layer(self):
        """Forward holds the answer; backward also keeps it until the sum, and leaves gradients."""
        layer, x = nn.Linear(1000, 500), Tensor(np.ones((200, 1000)))
        answer, weight = 4 * 200 * 500, 4 * (1000 * 500 + 500)
        memory = P.Profiler().measure_memory(layer, x)
        assert memory.model_bytes == weight
        assert answer <= memory.kept_bytes <= memory.peak_bytes < answer + 100_000
        both = P.Profiler().measure_memory(layer, x, backward=True)
        assert both.gradient_bytes == weight
        assert weight + answer <= both.peak_bytes < weight + 3 * answer

    def test_a_graph_keeps_more_for_a_larger_batch(self):
        kept = [P.Profiler().measure_memory(small(), IDS[:n], backward=True).kept_bytes for n in (1, 2)]
        assert kept[0] < kept[1]

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process's peak since a moment")
    def test_the_system_sees_it_too(self):
        """64 MB that are new, and a copy or two, are as much for the system, in a process that is new too."""
        done = subprocess.run([sys.executable, "-c", LARGE], capture_output=True, text=True, timeout=100)
        assert done.returncode == 0, done.stderr
        assert done.stdout == "None\n" or 0.9 * 2**26 < int(done.stdout) < 4 * 2**26
        assert 0 < P.resident_bytes() < 2**40

    def test_where_the_system_does_not_tell(self, monkeypatch, tmp_path):
        monkeypatch.setattr(P, "STATUS", tmp_path / "none")
        assert P.resident_bytes() is None
        assert P.Profiler().measure_memory(nn.ReLU(), Tensor([1.0])).resident_growth is None
        monkeypatch.undo()
        monkeypatch.setattr(P, "FORGET", tmp_path / "no folder" / "none")
        assert P.Profiler().measure_memory(nn.ReLU(), Tensor([1.0])).resident_growth is None


class TestExports:
    def test_table(self):
        profile = P.Profiler().profile(Net(), Tensor(np.ones((2, 6))))
        lines = profile.table().splitlines()
        assert [line.split()[0] for line in lines[1:-2]] == ["(itself)", "first", "relu", "tail.0", "tail.1", "unused"]
        assert lines[2].split()[:5] == ["first", "Linear", "2", "42", f"{2 * 2 * 72 / 1e6:.3f}"]
        assert lines[-2].startswith("all") and "Net" in lines[1] and lines[-1].startswith("-: no rule")
        assert len(profile.table(top=2).splitlines()) == 5

    def test_json(self, tmp_path):
        profiler = P.Profiler()
        profile = profiler.profile(small(), IDS, backward=True)
        text = profiler.to_json(tmp_path / "profile.json")
        assert text == profile.to_json() == (tmp_path / "profile.json").read_text(encoding="utf-8")
        figures = json.loads(text)
        assert (figures["model"], figures["inputs"], figures["flops"]) == ("GPT", "(2, 6)", profile.flops)
        assert [layer["path"] for layer in figures["layers"]] == [row.path for row in profile.rows]
        assert sum(layer["flops"] for layer in figures["layers"]) == profile.flops
        assert figures["layers"][0]["intensity"] == profile.rows[0].intensity

    def test_trace(self, tmp_path):
        """Complete events that nest on their track, as the Trace Event Format wants them."""
        profiler = P.Profiler()
        profile = profiler.profile(small(), IDS, backward=True)
        events = json.loads(profiler.to_trace(tmp_path / "trace.json"))["traceEvents"]
        assert json.loads((tmp_path / "trace.json").read_text())["traceEvents"] == events
        names = {event["tid"]: event["args"]["name"] for event in events if event["ph"] == "M"}
        assert names == {1: "forward", 2: "backward"}
        spans = [event for event in events if event["ph"] == "X"]
        assert len(spans) == len(profile.calls) + len(profile.walk)
        assert {"name", "ph", "pid", "tid", "ts", "dur", "args"} == set(spans[0])
        assert spans[0]["name"] == "GPT" and spans[0]["ts"] == 0
        forward = [span for span in spans if span["tid"] == 1]
        assert forward[1]["args"] == {"kind": "Embedding", "inputs": "(2, 6)", "flops": 0}
        for one in forward:
            for other in forward:
                begin, end = max(one["ts"], other["ts"]), min(one["ts"] + one["dur"], other["ts"] + other["dur"])
                shorter = min(one["dur"], other["dur"])
                assert end <= begin + 1e-3 or end - begin == pytest.approx(shorter, abs=1e-3)
        walk = [span for span in spans if span["tid"] == 2]
        assert walk[0]["ts"] >= forward[0]["dur"]
        assert all(a["ts"] + a["dur"] <= b["ts"] + 1e-3 for a, b in pairwise(walk))


class TestRoofline:
    def test_a_machine(self):
        machine = P.measure_machine()
        assert 0.1 < machine.peak < 10_000
        assert 0.1 < machine.bandwidth < 10_000 and 0.1 < machine.cache < 10_000

    def test_bytes_moved_and_intensity(self):
        layer = nn.Linear(6, 4)
        row = P.Profiler().profile(layer, Tensor(np.ones((10, 6)))).rows[0]
        assert row.moved == 4 * (60 + 24 + 4 + 40)
        assert row.intensity == pytest.approx(2 * 240 / row.moved)
        assert row.gflops == pytest.approx(480 / row.forward_ms / 1e6)

    def test_bytes_of_small_weights(self):
        """A layer with one byte a weight moves a quarter of the bytes."""
        layer = nn.Module()
        layer.register_buffer("weight", np.zeros((100, 100), np.int8))
        layer.forward = lambda x: x
        assert P.Profiler().profile(layer, Tensor([1.0])).rows[0].moved == 10_000 + 8
