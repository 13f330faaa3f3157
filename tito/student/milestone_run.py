"""Run a milestone in a process of its own; whatever happens to it ends in numbers or in a sentence with a next step."""

import json
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tito.course import Course
from tito.errors import CourseError
from tito.registry import MODULES
from tito.sources.markers import UNWRITTEN
from tito.student.milestones import Milestone, require_modules

WORKER = Path(__file__).with_name("milestone_worker.py")
SILENCE = 120.0  # seconds without a line after which a script counts as endless; each prints ten lines as it trains
ERROR = re.compile(r"^[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Iteration)\b.*$", re.MULTILINE)
PLACE = re.compile(r'^ +File "(.+)", line (\d+)', re.MULTILINE)
UNLOADED = re.compile(r"tinytorch\.([\w.]+) does not load \((.+)\): put it right")  # the package's own warning
UNWRITTEN_ERROR = f"NotImplementedError: {UNWRITTEN}"
LONGEST_ERROR = 300  # characters of a student's message that are shown


@dataclass(frozen=True)
class Result:
    """What one run reached, and its processor time, the start of the process included."""

    shares: dict[str, float]
    seconds: float


def run_milestone(
    course: Course,
    milestone: Milestone,
    seed: int,
    picture: Path | None = None,
    report: Callable[[str], object] = lambda line: None,
    silence: float = SILENCE,
) -> Result:
    """Run the script on the package in this course, on one thread.

    Args:
        course: whose package.
        milestone: which script.
        seed: of its random numbers.
        picture: where to save its picture, or None.
        report: gets each line that it prints, as it comes.
        silence: seconds without a line after which it is stopped.

    Raises:
        CourseError: a module is missing, the code failed, or it did not end; names the module that it happened in.
    """
    require_modules(course, milestone)
    settings = {"PYTHONPATH": str(course.root), "PYTHONUTF8": "1", "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    with tempfile.TemporaryDirectory() as folder:
        path, errors = Path(folder, "result.json"), Path(folder, "errors.txt")
        command = [sys.executable, "-P", "-u", str(WORKER), str(milestone.path), str(seed), str(path)]
        command += [str(picture)] if picture else []
        with errors.open("w") as stderr:
            code = _follow(command, settings, stderr.fileno(), report, silence)
        if code != 0 or not path.is_file():
            raise _failure(course, milestone, errors.read_text(encoding="utf-8", errors="replace"), code, silence)
        return Result(**json.loads(path.read_text(encoding="utf-8")))


def _follow(
    command: list[str], settings: dict[str, str], stderr: int, report: Callable[[str], object], silence: float
) -> int | None:
    """Run a command and report its lines; return its exit code, or None when it was silent for too long."""
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put("")  # the end

    with subprocess.Popen(
        command, env=os.environ | settings, stdout=subprocess.PIPE, stderr=stderr, encoding="utf-8", errors="replace"
    ) as process:
        threading.Thread(target=read, daemon=True).start()
        try:
            while line := lines.get(timeout=silence):
                report(line.rstrip())
        except queue.Empty:
            _interrupt(process)
            return None
    return process.returncode


def _interrupt(process: "subprocess.Popen[str]") -> None:
    """End a process in a way that lets Python say where it was, where the system can do that."""
    process.send_signal(signal.SIGINT if os.name == "posix" else signal.SIGTERM)
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()


def _failure(course: Course, milestone: Milestone, stderr: str, code: int | None, silence: float) -> CourseError:
    """Say in one sentence how a script ended, and where to look."""
    places = [(Path(file), line) for file, line in PLACE.findall(stderr)]
    guilty = [(m, f", line {line}") for file, line in places for m in milestone.needs if file == course.exported(m)]
    error = (ERROR.findall(stderr) or [f"it ended with exit code {code} and no result"])[-1]
    unloaded = UNLOADED.search(stderr)
    if code is None:
        error = f"it printed nothing for {silence:.0f} seconds; a loop may have no end"
    elif unloaded and not guilty:
        error = unloaded[2]
        guilty = [(m, "") for m in MODULES if m.export == unloaded[1]]
    error = "this answer is not written yet" if error == UNWRITTEN_ERROR else error
    error = error[:LONGEST_ERROR].rstrip(".")
    guilty = guilty or [(m, "") for m in MODULES if f"tinytorch.{m.export} " in error]
    if guilty:
        module, line = guilty[-1]
        cure = f"Run 'tito check {module.number:02d}', put it right, then 'tito export {module.number:02d}'."
        problem = f"{milestone.folder} stopped in module {module.folder} ({module.target}{line}): {error}."
        return CourseError(problem, cure)
    where = next((f" at line {line}" for file, line in reversed(places) if file == milestone.path), "")
    path = milestone.path.relative_to(course.root).as_posix()
    cure = f"Look at {path}, and check the modules that it uses."
    return CourseError(f"{milestone.folder} stopped{where}: {error}.", cure)
