"""`bench` and `compare` on a clock that is coarse, with calls that are slow at first or by chance."""

import random

import pytest

from tito.lab import bench, compare, timing


class Clock:
    """A clock that only goes on while somebody works or reads it, and shows steps of `tick` seconds."""

    def __init__(self, tick):
        self.now, self.tick = 0.0, tick

    def perf_counter(self):
        self.now += 1e-5
        return self.now // self.tick * self.tick

    def work(self, seconds):
        self.now += seconds


@pytest.fixture(params=[1e-6, 1e-3, 1 / 64], ids=["1 us", "1 ms", "15.6 ms"])
def clock(request, monkeypatch):
    clock = Clock(request.param)
    monkeypatch.setattr(timing, "time", clock)
    return clock


@pytest.mark.parametrize("seconds", [3e-6, 2e-4, 0.03])
def test_every_clock_gives_the_same_time(clock, seconds):
    taken = bench(clock.work, seconds)
    assert taken.low_ms == pytest.approx(seconds * 1e3, rel=0.15)
    assert taken.median_ms == pytest.approx(seconds * 1e3, rel=0.15)
    assert 0 < taken.low_ms <= taken.median_ms <= taken.high_ms


def test_a_call_that_costs_nothing_later_is_not_zero(clock):
    left = [500]

    def remembers():
        left[0] -= 1
        clock.work(0.02 if left[0] > 0 else 0)

    assert bench(remembers).low_ms > 0


def test_a_slow_first_call_does_not_count(clock):
    calls = []

    def slow_at_first():
        calls.append(0)
        clock.work(1e-4 if len(calls) > 1 else 5)

    taken = bench(slow_at_first)
    assert taken.high_ms == pytest.approx(0.1, rel=0.2)


@pytest.mark.parametrize("clock", [1e-6], indirect=True)
def test_a_slow_call_while_calibrating_does_not_make_samples_too_short(clock):
    calls = []

    def hiccup():
        calls.append(0)
        clock.work(1e-6 if len(calls) != 2 else 0.01)

    bench(hiccup, samples=1)
    assert len(calls) > 1000  # the one sample lasts a millisecond


@pytest.mark.parametrize("clock", [1e-6], indirect=True)
def test_the_fastest_sample_stands_above_a_busy_machine(clock):
    rng = random.Random(0)

    def disturbed():
        clock.work(1e-3 if rng.random() < 0.4 else 1e-3 * 300)

    assert bench(disturbed, samples=20).low_ms == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize("clock", [1e-6], indirect=True)
def test_ways_are_timed_in_turns(clock):
    order = []

    def way(name, seconds):
        order.append(name)
        clock.work(seconds * (50 if clock.now < 2 else 1))  # the machine is busy for the first two seconds

    taken = compare({"a": lambda: way("a", 0.01), "b": lambda: way("b", 0.02)}, samples=5)
    assert "".join(order).endswith("ababababab")
    assert taken["b"].low_ms / taken["a"].low_ms == pytest.approx(2, rel=0.05)


def test_the_real_clock():
    taken = bench(lambda: None)
    assert 0 < taken.low_ms <= taken.median_ms <= taken.high_ms < 1
