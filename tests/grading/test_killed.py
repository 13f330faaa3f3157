"""`tito grade` with its processes, killed at random points: nothing is lost, nothing is done twice, no grade differs.

`make test` kills at 20 points, `.ci/run` at 100, and at 6 with scorers and boxes (`TITO_KILLS=100` for more): one run
of a class is killed again and again until it comes to its end, then the next class begins. What must hold is looked at
after every kill.
"""

import os
import random
import shutil
import signal
import sys

import pytest
from interruptions import copy, differences, everything, orphans, prepared, run
from mini import FastRunner, sandboxed

from tito.grading import grade
from tito.grading.journal import read_journal
from tito.trusted.runner import TrustedRunner

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks")

CLASS = 12
WORDS = ("grade", "01", "--jobs", "2")
FEW, MANY = 20, 100
SANDBOXED = int(os.environ.get("TITO_KILLS", "6"))


class Counted(TrustedRunner):
    """Every run leaves a line in a file, as `FastRunner`'s do."""

    def run(self, *args):
        with (self.scratch.parent / "runs.log").open("a") as file:
            file.write("---\n")
        return super().run(*args)


CASES = (
    (FEW, FastRunner),
    pytest.param(MANY, FastRunner, marks=pytest.mark.slow),
    pytest.param(SANDBOXED, Counted, marks=[pytest.mark.slow, sandboxed]),
)


@pytest.mark.parametrize(("points", "runner"), CASES)
@pytest.mark.timeout(3600)
def test_killed_at_random_points(points, runner, released_once, tmp_path, monkeypatch):
    monkeypatch.setattr(grade, "TrustedRunner", runner)
    with orphans() as left:
        kill_at_random(points, released_once, tmp_path, left)


def kill_at_random(points, released_once, tmp_path, left):
    before = prepared("grade", released_once, tmp_path / "before", CLASS)
    course = copy(before, tmp_path / "whole")
    whole_run = run(course, WORDS)
    assert whole_run.code == 0, whole_run.text
    whole, chance = everything(course), random.Random(points)
    kills = completed = 0
    while kills < points:
        course = copy(before, tmp_path / "killed")
        ran_in_vain = 0  # ran, and were not in the journal yet when the kill came
        while True:
            known, ran = graded(course), runs(course)
            stopped = run(course, WORDS, signal.SIGKILL, chance.uniform(0.0, whole_run.seconds))
            assert stopped.code in (0, -signal.SIGKILL), stopped.text
            assert known.items() <= graded(course).items()  # nothing is lost
            fresh = len(graded(course)) - len(known)
            assert fresh <= runs(course) - ran <= CLASS - len(known)  # what is known was not run again
            ran_in_vain += runs(course) - ran - fresh
            if stopped.code == 0:
                break
            kills += 1
        assert left(60) == []
        assert list(tmp_path.rglob("tito-seats-*")) == []
        assert differences(everything(course), whole) == {}
        assert runs(course) == CLASS + ran_in_vain
        completed += 1
        shutil.rmtree(tmp_path / "killed")
    assert kills >= points and completed


def graded(course):
    """Whose result the journal has, with what it depends on."""
    return {entry.student: entry.key for entry in read_journal(course.state)}


def runs(course):
    """How many notebooks were run, by all runs together."""
    log = course.state / "runs.log"
    return log.read_text().count("---") if log.exists() else 0
