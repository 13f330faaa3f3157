"""Processes that die, hang or refuse: each costs its own submission at most, and none outlives grading."""

import os
import signal
import sys
import time

import psutil
import pytest
from mini import GOOD, TENSOR_MODULE, FastRunner, answered, hand_in

from tito.engine.runner import Limits
from tito.errors import CourseError
from tito.grading import grade, pool
from tito.grading.grade import grade_module
from tito.grading.report import grade_rows

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the runners here reach a worker only by a fork")

STUDENTS = ("ann", "ben", "cleo", "dora", "eve", "finn")
MARK = "# this one"


class Harmful(FastRunner):
    """Runs everyone's notebook but one: there it does `harm`, at most `times` times."""

    harm, times = staticmethod(lambda: None), 100

    def run(self, notebook, stack, limits):
        if any(MARK in cell.source for cell in notebook.cells):
            with (self.log.parent / "harm.log").open("a+") as file:
                file.write(".")
                file.seek(0)
                done = len(file.read())
            if done <= self.times:
                self.harm()
        return super().run(notebook, stack, limits)


class Placed(FastRunner):
    """Tells where it runs."""

    def run(self, notebook, stack, limits):
        with (self.log.parent / "places.log").open("a") as file:
            print(os.getpid(), *os.sched_getaffinity(0), file=file)
        return super().run(notebook, stack, limits)


@pytest.fixture
def ready(course, monkeypatch):
    monkeypatch.setattr(grade, "TrustedRunner", Harmful)
    monkeypatch.setattr(Harmful, "times", 100)
    for student in STUDENTS:
        hand_in(course, student, answered(course, GOOD | {"q-float32": f"So says {student}."}))
    hand_in(course, "cleo", answered(course, GOOD | {"q-float32": MARK}))
    return course


def run(course, **settings):
    """Grade with two processes; return statuses and points, and make sure that nothing is left running."""
    before = set(psutil.Process().children(recursive=True))
    list(grade_module(course, TENSOR_MODULE, jobs=2, **settings))
    assert set(psutil.Process().children(recursive=True)) == before
    return {row.student: (str(row.status), row.points) for row in grade_rows(course, [TENSOR_MODULE])}


def all_but_cleo(cleo):
    return dict.fromkeys(STUDENTS, ("graded", "10 of 10, 5 waits")) | {"cleo": cleo}


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def two_processors():
    """For this process and what it starts; the others again afterwards."""
    before = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, before[:2])
    yield
    os.sched_setaffinity(0, before)


@pytest.mark.skipif(grade.processors() < 2, reason="there is one processor for all")
def test_each_worker_keeps_to_a_processor_of_its_own(ready, monkeypatch, two_processors):
    monkeypatch.setattr(grade, "TrustedRunner", Placed)
    allowed = os.sched_getaffinity(0)
    run(ready)
    places = {line.split(maxsplit=1)[0]: line.split()[1:] for line in (ready.state / "places.log").open()}
    assert sorted(places.values()) == [[str(number)] for number in sorted(allowed)[:2]]
    assert os.sched_getaffinity(0) == allowed


def test_fewer_workers_than_processors_go_where_there_is_room(monkeypatch):
    """Two parts of a class on one machine would else share the first processors and leave the others idle."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {2, 3, 5, 7})
    assert pool._places(3) == [{2, 3, 5, 7}] * 3
    assert pool._places(5) == [{2}, {3}, {5}, {7}, {2}]


def test_a_dead_worker_is_replaced_and_its_submission_tried_again(ready, monkeypatch):
    monkeypatch.setattr(Harmful, "harm", staticmethod(kill))
    monkeypatch.setattr(Harmful, "times", 1)
    assert run(ready) == all_but_cleo(("graded", "10 of 10, 5 waits"))


def test_a_poison_submission_costs_itself(ready, monkeypatch):
    monkeypatch.setattr(Harmful, "harm", staticmethod(kill))
    assert run(ready) == all_but_cleo(("failed", "-"))
    notes = {row.student: row.notes for row in grade_rows(ready, [TENSOR_MODULE])}
    assert notes["cleo"] == (pool.DIED,)
    assert notes["ann"] == ()
    monkeypatch.setattr(Harmful, "harm", staticmethod(lambda: None))
    assert run(ready) == all_but_cleo(("graded", "10 of 10, 5 waits"))
    assert (ready.state / "runs.log").read_text().count("---") == len(STUDENTS)


def test_a_worker_that_hangs_is_stopped(ready, monkeypatch):
    monkeypatch.setattr(Harmful, "harm", staticmethod(lambda: time.sleep(1000)))
    monkeypatch.setattr(pool, "PATIENCE", 1.0)
    start = time.monotonic()
    assert run(ready, limits=Limits(total_seconds=1)) == all_but_cleo(("failed", "-"))
    assert time.monotonic() - start < 60
    notes = {row.student: row.notes for row in grade_rows(ready, [TENSOR_MODULE])}
    assert notes["cleo"] == (pool.HUNG.format(seconds=2.0),)


def test_a_bug_in_a_worker_costs_its_submission(ready, monkeypatch):
    monkeypatch.setattr(Harmful, "harm", staticmethod(lambda: 1 / 0))
    assert run(ready) == all_but_cleo(("failed", "-"))


def test_a_refusal_of_the_machine_is_told_when_all_others_are_done(ready, monkeypatch):
    def refuse():
        raise CourseError("There is no sandbox.", "Install it.")

    monkeypatch.setattr(Harmful, "harm", staticmethod(refuse))
    with pytest.raises(CourseError, match=r"There is no sandbox\. Install it\."):
        run(ready)
    assert (ready.state / "runs.log").read_text().count("---") == len(STUDENTS) - 1


def test_workers_end_with_the_process_that_started_them(ready, monkeypatch):
    monkeypatch.setattr(Harmful, "harm", staticmethod(lambda: time.sleep(1000)))
    grader = os.fork()
    if grader == 0:
        list(grade_module(ready, TENSOR_MODULE, jobs=2))
        os._exit(0)
    log = ready.state / "harm.log"
    while not log.exists():
        time.sleep(0.02)
    workers = psutil.Process(grader).children(recursive=True)
    assert len(workers) == 2
    os.kill(grader, signal.SIGKILL)
    os.waitpid(grader, 0)
    assert psutil.wait_procs(workers, timeout=10)[1] == []
