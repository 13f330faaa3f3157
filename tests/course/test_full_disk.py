"""A disk that is full in the middle of `tito collect`, `tito grade` or `tito release`, with a real one of 16 MB."""

import os
import subprocess
from pathlib import Path

import pytest
from interruptions import COMMANDS, copy, differences, everything, prepared, run
from mini import FastRunner

from tito.grading import grade

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="runs a forked process")

ROOMS = {"collect": (0, 12), "grade": (0, 60, 150), "release": (0, 60, 120, 200)}  # KB that are left, too few


@pytest.fixture
def disk(tmp_path):
    """A small disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def fill(disk: Path, kilobytes: int) -> Path:
    """Leave so much room."""
    room = os.statvfs(disk)
    filler = disk / "filler"
    filler.write_bytes(bytes(room.f_bavail * room.f_frsize - kilobytes * 1024))
    return filler


@pytest.mark.parametrize("name", COMMANDS)
def test_one_sentence_nothing_half_done_and_done_after_room_is_made(name, released_once, disk, tmp_path, monkeypatch):
    monkeypatch.setattr(grade, "TrustedRunner", FastRunner)
    before = prepared(name, released_once, tmp_path / "before", 4)
    course, whole = copy(before, disk / "here"), copy(before, tmp_path / "whole")
    assert run(whole, COMMANDS[name]).code == 0
    start = everything(course)
    for room in ROOMS[name]:
        filler = fill(disk, room)
        refused = run(course, COMMANDS[name])
        filler.unlink()
        problem, cure = refused.text.strip().splitlines()
        assert refused.code == 2
        assert problem.startswith("Problem: ")
        assert "the disk is full" in (problem + cure).replace("The", "the"), refused.text
        assert not problem.startswith("Problem: A file")
        assert cure.startswith("Next: ")
        if name != "grade":  # what is graded stays graded
            assert differences(everything(course), start) == {}
    assert run(course, COMMANDS[name]).code == 0
    assert differences(everything(course), everything(whole)) == {}
