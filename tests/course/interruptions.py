"""Commands of an instructor that end before their time, and what a course holds afterwards."""

import contextlib
import ctypes
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil
from inboxes import put
from mini import ACTIVATIONS_MODULE, GOOD, TENSOR_MODULE, add_public_files, answered

import tito.commands.collect
import tito.grading.collect
import tito.release.publish  # here, so that a fork need not load it  # noqa: F401
from tito.__main__ import main
from tito.course import Course
from tito.grading.gradebook import open_gradebook
from tito.grading.journal import read_journal
from tito.grading.report import csv_text, grade_rows

COMMANDS = {"collect": ("collect", "../inbox"), "grade": ("grade", "01"), "release": ("release",)}
MODULES = (TENSOR_MODULE, ACTIVATIONS_MODULE)
APART = (
    "gradebook.db",
    "journal.db",
    "lock",
    "runs.log",
)  # databases, whose rows are compared; what `FastRunner` writes
LONGEST = 120  # seconds that a command may take on a busy machine
SET_CHILD_SUBREAPER = 36  # <linux/prctl.h>
START = "import os, runpy; os.write({}, b'.'); runpy.run_module('tito', run_name='__main__', alter_sys=True)"


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, negative for the signal that killed it, and all that it printed."""

    code: int
    text: str
    seconds: float


def send(course: Course, inbox: Path, count: int) -> None:
    """Let `count` students hand in: three kinds of answers, and an earlier version of every fifth."""
    answers = (GOOD, {"scale": GOOD["scale"]}, GOOD | {"shift": "#| export\ndef shift(x, by):\n    return x\n"})
    for number in range(count):
        notebook = nbformat.writes(answered(course, answers[number % 3] | {"q-float32": f"Student {number}."}))
        put(inbox, f"s{number:02d}/tensor.ipynb", notebook)
        if number % 5 == 0:
            put(inbox, f"s{number:02d}/tensor (1).ipynb", nbformat.writes(answered(course, {})), time=1_600_000_000)


def prepared(name: str, released_once: Course, folder: Path, count: int) -> Course:
    """A course in which a command of `COMMANDS` has something to do."""
    shutil.copytree(released_once.root, folder / "course")
    course = Course(folder / "course")
    add_public_files(course)
    send(course, folder / "inbox", count)
    if name == "grade":
        assert run(course, COMMANDS["collect"]).code == 0
    if name == "release":
        notebook = course.built(TENSOR_MODULE)
        notebook.write_text(notebook.read_text().replace("a tensor in miniature", "another release"))
    return course


def copy(course: Course, folder: Path) -> Course:
    """The course and its inbox in another place."""
    return Course(shutil.copytree(course.root.parent, folder) / "course")


def everything(course: Course) -> dict[str, object]:
    """All that a command leaves: every file, and what stands in the gradebook, the journal and the report."""
    files = {path.relative_to(course.root).as_posix(): path for path in course.root.rglob("*") if path.is_file()}
    found: dict[str, object] = {
        name: path.read_bytes() for name, path in files.items() if not path.name.startswith(APART)
    }
    with open_gradebook(course) as book:
        found["cells"] = {
            (one.name, cell.name): cell.max_score
            for one in book.assignments
            for n in one.notebooks
            for cell in n.grade_cells
        }
        found["scores"] = {
            (one.name, who.student.id, grade.name): (grade.auto_score, grade.manual_score, grade.needs_manual_grade)
            for one in book.assignments
            for who in one.submissions
            for grade in who.notebooks[0].grades
        }
    found["journal"] = [(e.module, e.student, e.status, e.notes, e.recorded) for e in read_journal(course.state)]
    found["report"] = csv_text(grade_rows(course, MODULES))
    return found


def differences(now: dict[str, object], whole: dict[str, object]) -> dict[str, object]:
    """What is other than in `whole`: each thing's name, with what it is now, None for what is missing."""
    return {name: now.get(name) for name in {**now, **whole} if now.get(name) != whole.get(name)}


def run(course: Course, words: Sequence[str], number: int = 0, delay: float = 0.0, *, fresh: bool = False) -> Ended:
    """Run `tito WORDS` in a process of its own; send it signal `number` after `delay` seconds, if it still runs.

    Args:
        fresh: start Python anew, as a shell does; else the process is a fork of this one, and has everything loaded.
    """
    with tempfile.TemporaryFile() as shown:
        ready, begins = os.pipe()
        child = os.fork()
        if child == 0:
            _be_tito(course, words, shown.fileno(), begins, fresh)
        os.close(begins)
        os.read(ready, 1)
        os.close(ready)
        start = time.monotonic()
        ended = _wait(child, delay if number else LONGEST)
        if ended is None:
            os.kill(child, number or signal.SIGKILL)
            ended = _wait(child, LONGEST)
        assert ended is not None, f"signal {number} did not end the command"
        shown.seek(0)
        return Ended(ended, shown.read().decode(), time.monotonic() - start)


@contextmanager
def orphans() -> Iterator[Callable[[float], list[psutil.Process]]]:
    """Adopt what others leave behind; yields a function that says what is left of it after so many seconds."""
    known, prctl = set(psutil.Process().children(recursive=True)), ctypes.CDLL(None).prctl

    def left(seconds: float) -> list[psutil.Process]:
        end = time.monotonic() + seconds
        while (there := set(psutil.Process().children(recursive=True)) - known) and time.monotonic() < end:
            for one in there:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(one.pid, os.WNOHANG)
            time.sleep(0.02)
        return sorted(there, key=lambda one: one.pid)

    prctl(SET_CHILD_SUBREAPER, 1)
    try:
        yield left
    finally:
        prctl(SET_CHILD_SUBREAPER, 0)


def _be_tito(course: Course, words: Sequence[str], output: int, begins: int, fresh: bool) -> None:
    """Run the command in this process, and end it; write to `begins` when Python is up."""
    code = 1
    try:
        os.chdir(course.root)
        os.dup2(output, 1)
        os.dup2(output, 2)
        if fresh:
            os.set_inheritable(begins, True)
            os.execv(sys.executable, [sys.executable, "-c", START.format(begins), *words])
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115  (for good)
        sys.argv = ["tito", *words]
        os.write(begins, b".")
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1 if end.code else 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _wait(child: int, seconds: float) -> int | None:
    """The exit code of a process that ends within `seconds`; None for one that does not."""
    end = time.monotonic() + seconds
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            return None
        time.sleep(0.002)
