"""Faults of the machine while `tito grade` works in its sandbox: each is got over, neighbours see none."""

import contextlib
import errno
import os
import signal
import sqlite3
import tempfile
import threading
import time
from contextlib import closing

import psutil
import pytest
from interruptions import orphans
from mini import GOOD, TENSOR_MODULE, answered, hand_in, sandboxed

from tito.engine.runner import Limits
from tito.errors import CourseError
from tito.grading import grade, pool, recorder
from tito.grading import record as recording
from tito.grading.grade import grade_module
from tito.grading.rebuild import check, rebuild
from tito.grading.report import grade_rows
from tito.trusted import runner
from tito.trusted.runner import TrustedRunner

pytestmark = [sandboxed, pytest.mark.timeout(300)]

FULL, HALF = ("graded", "10 of 10, 5 waits"), ("graded", "4 of 15")
FAILED = ("failed", "-")
SLOW = "#| export\nimport time\ntime.sleep(1)\ndef shift(x, by):\n    return (np.asarray(x) + by).astype(np.float32)\n"
SEATS = "tito-seats-*"


def full(*_args, **_kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def scorer(attempt):
    return psutil.Process(attempt._process).parent()


def bubblewrap(attempt):
    (found,) = (one for one in scorer(attempt).children() if one.name() == "bwrap")
    return found


def nursery(attempt):
    (first,) = bubblewrap(attempt).children()
    (found,) = first.children()
    return found


PROCESSES = {
    "bubblewrap": bubblewrap,
    "nursery": nursery,
    "one": lambda attempt: psutil.Process(attempt._process),  # that scores one submission
    "scorer": scorer,
    "worker": lambda attempt: psutil.Process(),
}


def count(path):
    """How often this was called for a file."""
    with path.open("a") as file:
        file.write(".")
    return path.stat().st_size


class Harmed(TrustedRunner):
    """While it runs the submission that says `HARM process signal times`, it does that."""

    def attempt(self, notebook, stack, *rest):
        attempt = super().attempt(notebook, stack, *rest)
        log = stack.parents[1]  # the course's .tito folder
        count(log / "attempts.log")
        for words in (cell.source.split() for cell in notebook.cells if cell.source.startswith("HARM")):
            if count(log / f"{'-'.join(words)}.log") <= int(words[3]):
                threading.Thread(target=self.harm, args=(attempt, *words[1:3])).start()
        return attempt

    @staticmethod
    def harm(attempt, process, number):
        while attempt.notebook.cells[attempt._current].source != SLOW:
            if attempt.link.fileno() < 0:  # it is over
                return
            time.sleep(0.01)
        time.sleep(0.1)
        PROCESSES[process](attempt).send_signal(signal.Signals[number])


@pytest.fixture
def ready(course, monkeypatch):
    monkeypatch.setattr(grade, "TrustedRunner", Harmed)
    monkeypatch.setenv("TMPDIR", str(course.root.parent))
    monkeypatch.setattr(tempfile, "tempdir", None)  # asks again
    hand_in(course, "ann", answered(course, GOOD))
    hand_in(course, "zoe", answered(course, {"scale": GOOD["scale"]}))
    return course


def harmed(course, student, process, number="SIGKILL", times=1):
    texts = GOOD | {"shift": SLOW, "q-float32": f"HARM {process} {number} {times}"}
    hand_in(course, student, answered(course, texts))


def run(course, **settings):
    """Grade; return statuses and points, and make sure that nothing is left behind."""
    with orphans() as left:
        list(grade_module(course, TENSOR_MODULE, **settings))
        assert left(5) == []
    assert list(course.root.parent.rglob(SEATS)) == []
    return report(course)


def report(course):
    return {row.student: (str(row.status), row.points) for row in grade_rows(course, [TENSOR_MODULE])}


def notes(course):
    return {row.student: row.notes for row in grade_rows(course, [TENSOR_MODULE])}


def attempts(course):
    return (course.state / "attempts.log").stat().st_size


def test_a_process_that_dies_is_replaced_and_costs_nobody_anything(ready):
    killed = ("bubblewrap", "nursery", "one", "scorer")
    for process in killed:
        harmed(ready, process, process)
    everyone = dict.fromkeys((*killed, "ann"), FULL) | {"zoe": HALF}
    assert run(ready) == everyone
    assert set(notes(ready).values()) == {()}
    before = attempts(ready)
    assert run(ready) == everyone
    assert attempts(ready) == before


@pytest.mark.slow
def test_a_box_that_hangs_is_replaced_and_costs_nobody_anything(ready, monkeypatch):
    monkeypatch.setattr(runner, "GRACE", 2.0)
    harmed(ready, "ben", "nursery", "SIGSTOP")
    limits = Limits(cell_seconds=4, total_seconds=10)
    assert run(ready, limits=limits) == {"ann": FULL, "ben": FULL, "zoe": HALF}
    assert set(notes(ready).values()) == {()}


TWICE = (
    pytest.param("nursery", FAILED, marks=pytest.mark.slow),
    pytest.param("one", ("crashed", "4 of 10, 5 waits")),
)


@pytest.mark.parametrize(("process", "row"), TWICE)
def test_a_submission_in_whose_time_it_dies_again_and_again(process, row, ready):
    harmed(ready, "poison", process, times=1000)
    assert run(ready) == {"ann": FULL, "poison": row, "zoe": HALF}
    (note,) = notes(ready)["poison"]
    assert ("ended the grader's own processes 2 times" in note) == (row == FAILED), note


@pytest.mark.slow
def test_workers_that_die_and_hang(ready, monkeypatch):
    monkeypatch.setattr(pool, "PATIENCE", 7.0)
    limits = Limits(cell_seconds=4, total_seconds=8)
    harmed(ready, "dies", "worker")
    harmed(ready, "hangs", "worker", "SIGSTOP")
    harmed(ready, "poison", "worker", times=2)
    others = {"ann": FULL, "dies": FULL, "zoe": HALF}
    assert run(ready, jobs=2, limits=limits) == others | {"hangs": FAILED, "poison": FAILED}
    assert notes(ready)["hangs"] == (pool.HUNG.format(seconds=15.0),)
    assert notes(ready)["poison"] == (pool.DIED,)
    before = attempts(ready)
    assert run(ready, jobs=2, limits=limits) == others | {"hangs": FULL, "poison": FULL}
    assert attempts(ready) == before + 2


def test_a_locked_and_then_a_damaged_gradebook(ready, monkeypatch):
    def locked(*args):
        with closing(sqlite3.connect(ready.gradebook, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            recording.record(*args)

    with monkeypatch.context() as patch:
        patch.setattr(recorder, "record", locked)
        with pytest.raises(CourseError, match=r"gradebook\.db is in use by another program"):
            run(ready)
    assert run(ready) == {"ann": FULL, "zoe": HALF}
    ready.gradebook.write_bytes(ready.gradebook.read_bytes()[:20_000])
    hand_in(ready, "ben", answered(ready, GOOD))
    with pytest.raises(CourseError, match=r"gradebook\.db is damaged"):
        run(ready)
    list(rebuild(ready))
    assert check(ready) == []
    assert run(ready) == {"ann": FULL, "ben": FULL, "zoe": HALF}
    assert attempts(ready) == 3


def test_a_full_disk(ready, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(runner.tempfile, "mkdtemp", full)
        with pytest.raises(CourseError, match=r"could not be written: the disk is full\. Free some space and run"):
            run(ready)
    assert report(ready) == dict.fromkeys(("ann", "zoe"), ("not graded", "-"))
    assert run(ready) == {"ann": FULL, "zoe": HALF}
    assert attempts(ready) == 2


RIPE = {
    "a scorer starts": lambda course, words: "tito.trusted.scorer" in words,
    "a box starts": lambda course, words: "/trusted/nursery.py" in words,
    "a submission runs": lambda course, words: (course.state / "attempts.log").exists(),
}


@pytest.mark.parametrize("ripe", RIPE.values(), ids=RIPE)
def test_everything_ends_with_a_command_that_is_killed(ripe, ready):
    hand_in(ready, "zoe", answered(ready, GOOD | {"shift": SLOW}))
    with orphans() as left:
        grader = os.fork()
        if grader == 0:
            list(grade_module(ready, TENSOR_MODULE, jobs=2))
            os._exit(0)
        while not ripe(ready, words_below(grader)):
            pass
        os.kill(grader, signal.SIGKILL)
        assert left(60) == []
    assert list(ready.root.parent.rglob(SEATS)) == []


def words_below(grader):
    words = []
    for one in psutil.Process(grader).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            words += one.cmdline()
    return words
