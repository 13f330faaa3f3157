"""What a test outside can do with a student's objects, and what it cannot."""

import contextlib
import copy
import os
import signal

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.extra.numpy import array_shapes, arrays

from tito.engine.runner import Limits, Reason
from tito.trusted import box
from tito.trusted.channel import Channel, Halt
from tito.trusted.handles import Handle, Untrusted, channel_of
from tito.trusted.wire import MOST_TEXT

PAGE = """import contextlib
import numpy as np

class Pair:
    def __init__(self, a, b): self.a, self.b = a, b
    def __add__(self, other): return Pair(self.a + other.a, self.b + other.b)
    def __radd__(self, number): return Pair(self.a + number, self.b + number)
    def __iter__(self): yield self.a; yield self.b
    def __len__(self): return 2
    def __eq__(self, other): return True
    def __repr__(self): return f"Pair({self.a}, {self.b})"

class Odd(ValueError):
    pass

class Quiet(Pair):
    pass

def same(x): return x
def clear(x): x[...] = 0
def empty(items): items.clear()
def twice(function, x): return function(function(x))
def refuse(x): raise Odd(f"not {x}")
def swallow(function):
    try: function()
    except ValueError as error: return type(error).__name__
entered = []
@contextlib.contextmanager
def mode():
    entered.append("in")
    yield 7
    entered.append("out")
left = []
@contextlib.contextmanager
def closing():
    try: yield
    except Exception as error:
        left.append(f"{type(error).__name__}: {error}")
        raise
kept = np.arange(3.0)
def shift(): kept[...] += 1
def keep(x):
    global memory
    memory = x
def memory_sum(): return float(memory.sum())
"""
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)
numbers = arrays(
    st.sampled_from([np.float32, np.float64, np.int64, np.uint8, np.bool_, np.complex64]),
    array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
)


@pytest.fixture(scope="module")
def nursery(tmp_path_factory):
    """Seats without a box: what is tested here is the pipe."""
    nursery = box.start(tmp_path_factory.mktemp("stack"), {"numpy": True}, [], Limits(), boxed=False)
    yield nursery
    nursery.close()


@pytest.fixture(scope="module")
def seat(nursery):
    """`seat(source)` is a channel to a new process that has run the text; its names are in the channel's `page`."""
    channels, processors = [], os.sched_getaffinity(0)

    def seat(source=PAGE):
        channel = Channel(box.open_seat(nursery.control))
        channels.append(channel)
        channel.reports.texts[0] = source.splitlines()
        channel.cell({"source": source, "cell": 0, "count": 1})
        return channel

    yield seat
    for channel in channels:
        channel.link.close()
    os.sched_setaffinity(0, processors)


@pytest.fixture(scope="module")
def channel(seat):
    return seat()


@pytest.fixture
def page(channel):
    """`page.name` is what the page calls so."""

    class Page:
        def __getattr__(self, name):
            return channel.ask("names", name)[name]

    return Page()


@pytest.fixture(scope="module")
def same(channel):
    return channel.ask("names", "same")["same"]


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(value=plain)
def test_plain_values_come_back_as_they_went(value, same):
    back = same(value)
    assert (type(back), back) == (type(value), value)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(array=numbers, turned=st.booleans())
def test_arrays_come_back_with_type_shape_and_order_of_axes(array, turned, same):
    array = (array.T if turned else array).copy("K")
    back = same(array)
    assert back is array  # the box gave back the very array
    other = same([array])[0]
    np.testing.assert_array_equal(other, array)


def test_an_object_is_a_handle_that_gives_no_verdict(page):
    one, other = page.Pair(1, 2), page.Pair(3, 4)
    assert (type(one).__name__, repr(one), one.a, len(one), list(one)) == ("Pair", "Pair(1, 2)", 1, 2, [1, 2])
    assert (repr(one + other), repr(10 + one)) == ("Pair(4, 6)", "Pair(11, 12)")
    one.a = 5
    assert (one.a, isinstance(one, page.Pair), isinstance(one, page.Quiet)) == (5, True, False)
    for verdict in (lambda: one == 1, lambda: one != "x", lambda: bool(one), lambda: 1 in [one], lambda: not one):
        with pytest.raises(Untrusted):
            verdict()
    assert page.same(one) is one


def test_an_object_is_copied_where_it_is(page):
    one = page.Pair([1], 2)
    shallow, deep = copy.copy(one), copy.deepcopy(one)
    one.a = [7]
    assert (repr(shallow), repr(deep), shallow is deep) == ("Pair([1], 2)", "Pair([1], 2)", False)


def test_a_method_is_fetched_once_for_its_class_and_still_the_one_of_the_object(seat, monkeypatch):
    names = seat(METHODS).ask("names", "Box", "apply")
    asked, ask = [], Channel.ask
    monkeypatch.setattr(Channel, "ask", lambda self, do, *args, **kw: (asked.append(do), ask(self, do, *args, **kw))[1])
    one, other = names["Box"](1), names["Box"](2)
    assert [one.value(), other.value(), other.value()] == [1, 2, 2]
    assert asked == ["call", "call", "get", "method", "method", "method"]
    assert (type(one.value).__name__, one.value.__name__) == ("method", "value")
    assert names["apply"](one.value) == 1
    other.value = names["Box"](7).value
    assert (other.value(), one.size) == (7, 3)
    third = names["Box"](3)
    held = third.value
    third.value = names["Box"](8).value
    assert (held(), held(), third.value()) == (3, 3, 8)
    kept = []
    names["apply"](lambda: kept.append(third.fill))
    third.fill = names["apply"]
    kept[0]([])
    with pytest.raises(Untrusted):
        assert one.value == 1
    items = [1]
    one.fill(items)
    with channel_of(one).shared.checking():
        one.fill(items)
        assert items == [1, 1]
    assert items == [1]


def test_a_function_of_the_test_runs_here(page):
    assert page.twice(lambda x: 3 * x, 2) == 18
    assert page.twice(lambda x: page.Pair(x.a, x.a + 1), page.Pair(1, 1)).b == 2


def test_an_error_has_its_class_its_words_and_its_line(page):
    with pytest.raises(page.Odd, match="not 3") as caught:
        page.refuse(3)
    assert isinstance(caught.value, ValueError)
    assert caught.value.places[-1][2] == 'in refuse, line 23: def refuse(x): raise Odd(f"not {x}")'
    assert page.swallow(lambda: page.refuse(1)) == "Odd"
    with pytest.raises(AttributeError, match="Pair"):
        page.Pair(1, 2).nothing  # noqa: B018


METHODS = """class Box:
    size = 3
    def __init__(self, n): self.n = n
    def value(self): return self.n
    def fill(self, items): items.append(self.n)
def apply(function): return function()
"""
HOLDER = """import weakref
class Thing: pass
seen = []
def fail():
    thing = Thing()
    seen.append(weakref.ref(thing))
    raise ValueError("no")
def alive(): return sum(ref() is not None for ref in seen)
"""


def test_an_error_that_is_over_holds_nothing_in_the_box(seat):
    names = seat(HOLDER).ask("names", "fail", "alive")
    with contextlib.suppress(ValueError):
        names["fail"]()
    assert names["alive"]() == 0


def test_a_context_manager_is_entered_and_left(page):
    with page.mode() as seven:
        assert (seven, page.entered) == (7, ["in"])
    assert page.entered == ["in", "out"]


def test_a_context_manager_is_left_with_the_error_that_came_up(page):
    for fail in (lambda: page.refuse(3), lambda: int("x")):
        with pytest.raises(ValueError, match=r"not 3|invalid literal"), page.closing():
            fail()
    assert page.left == ["Odd: not 3", "ValueError: invalid literal for int() with base 10: 'x'"]


def test_what_the_box_edits_is_seen_in_the_check_and_undone(channel, page):
    array, items = np.ones(3), [1, 2]
    with channel.shared.checking():
        page.clear(array)
        page.empty(items)
        assert (array.tolist(), items) == ([0, 0, 0], [])
    assert (array.tolist(), items) == ([1, 1, 1], [1, 2])
    page.clear(array)
    assert array.tolist() == [1, 1, 1]
    assert page.same([array])[0].tolist() == [1, 1, 1]


def test_arrays_are_shared_while_both_sides_hold_them(page):
    kept = page.kept
    page.shift()
    assert kept.tolist() == [1, 2, 3]
    kept += 10
    assert page.kept.tolist() == [11, 12, 13]
    mine = np.ones(4)
    page.keep(mine)
    mine += 1
    assert page.memory_sum() == 8


GARBAGE = """import gc, os
for o in gc.get_objects():
    if type(o).__name__ == "Server":
        os.write(o.link.fileno(), b"x" * 100)
"""
END = "import os\ndef f(): os._exit(0)"
HOSTILE = [(GARBAGE, Reason.GARBLED), (END, Reason.ENDED)]


@pytest.mark.parametrize(("source", "reason"), HOSTILE)
def test_what_is_no_answer_ends_the_conversation(source, reason, seat):
    with pytest.raises(Halt) as halt:
        seat(source).ask("names", "f")["f"]()
    assert halt.value.reason is reason


def test_a_value_that_is_too_large_is_an_error_in_the_test(seat):
    large = seat(f"def f():\n    return 'x' * {MOST_TEXT + 1}\ndef g():\n    return 1").ask("names", "f", "g")
    with pytest.raises(ValueError, match="too large"):
        large["f"]()
    assert large["g"]() == 1


def test_no_answer_is_waited_for_until_the_alarm(seat):
    channel = seat("def f():\n    while True: pass")

    def ring(*_):
        raise Halt(channel.reason)

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with pytest.raises(Halt):
            channel.ask("names", "f")["f"]()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_handle_is_no_value_of_another_box(seat, page):
    with pytest.raises(TypeError, match="another box"):
        seat().ask("names", "same")["same"](page.Pair(1, 2))
    assert issubclass(type(page.Pair(1, 2)), Handle)
