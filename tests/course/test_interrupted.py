"""`tito collect`, `tito grade` and `tito release`, killed or stopped with Ctrl-C: run again, they leave the same."""

import os
import random
import shutil
import signal
import subprocess
import sys
from functools import partial

import pytest
from interruptions import COMMANDS, copy, differences, everything, prepared, run
from mini import FastRunner

from tito.failures import INTERRUPTED
from tito.grading import grade

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="stops a forked process")

STOPS = ((0.5, signal.SIGINT), (0.3, signal.SIGKILL), (0.8, signal.SIGKILL))  # after which share of its time
SIGNALS = {"kill": signal.SIGKILL, "ctrl-c": signal.SIGINT}
DROPPED = """
import signal, time
from tito import __main__, cli

class Object:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

def command_line():
    Object()
    time.sleep(60)

cli.main = command_line
__main__.main()
"""
DELAYS = int(os.environ.get("TITO_STOPS", "3"))  # of each command and signal


@pytest.mark.parametrize("name", COMMANDS)
def test_stopped_again_and_again(name, released_once, tmp_path, monkeypatch):
    monkeypatch.setattr(grade, "TrustedRunner", FastRunner)
    before = prepared(name, released_once, tmp_path / "before", 4)
    whole, seconds = uninterrupted(run, before, name, tmp_path / "whole")
    course = copy(before, tmp_path / "stopped")
    for share, number in STOPS:
        assert_stopped(run(course, COMMANDS[name], number, share * seconds), number)
    assert_leaves(whole, run, course, name)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("number", SIGNALS.values(), ids=SIGNALS)
@pytest.mark.parametrize("name", COMMANDS)
def test_stopped_at_random(name, number, released_once, tmp_path):
    """The command as a shell starts it, stopped anywhere between its first line and its last."""
    tito, random_numbers = partial(run, fresh=True), random.Random(f"{name} {number}")
    before = prepared(name, released_once, tmp_path / "before", 12)
    whole, seconds = uninterrupted(tito, before, name, tmp_path / "whole")
    for _ in range(DELAYS):
        course = copy(before, tmp_path / "stopped")
        delay = random_numbers.uniform(0.1, 1.0) * seconds
        assert_stopped(tito(course, COMMANDS[name], number, delay), number)
        assert_leaves(whole, tito, course, name)
        shutil.rmtree(tmp_path / "stopped")


def uninterrupted(tito, before, name, folder):
    """What the command leaves when nothing stops it, and the seconds it takes."""
    course = copy(before, folder)
    done = tito(course, COMMANDS[name])
    assert done.code == 0, done.text
    return everything(course), done.seconds


def assert_stopped(stopped, number):
    """It was killed, or said that it was stopped; a quick one may have been done before."""
    assert "Traceback" not in stopped.text
    if stopped.code == 0:
        return
    if number == signal.SIGINT:
        assert (stopped.code, stopped.text.splitlines()[-1:]) == (INTERRUPTED, ["Stopped."]), stopped.text
    else:
        assert stopped.code == -signal.SIGKILL, stopped.text


def assert_leaves(whole, tito, course, name):
    """Run again, the command does what is left to do."""
    again = tito(course, COMMANDS[name])
    assert again.code == 0, again.text
    assert differences(everything(course), whole) == {}


def test_ctrl_c_where_python_drops_exceptions():
    ended = subprocess.run([sys.executable, "-c", DROPPED], capture_output=True, text=True, timeout=100)
    assert (ended.returncode, ended.stdout, ended.stderr) == (INTERRUPTED, "", "Stopped.\n")
