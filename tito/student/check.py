"""Run the tests on a student's notebook with the student's own package: the same engine as grading."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from nbformat.notebooknode import NotebookNode

from tito.course import Course
from tito.engine.normalise import normalise
from tito.engine.reading import Unreadable, parse_submission, read_bytes
from tito.engine.runner import Limits, Runner, SubprocessRunner
from tito.engine.skeleton import load_skeleton
from tito.errors import CourseError
from tito.files import write_atomic
from tito.registry import Module
from tito.student.work import require_released

MESSAGE_LINES = 12


@dataclass(frozen=True)
class CellResult:
    """One cell that passed or failed: its `grade_id`, and the message when it failed."""

    name: str
    passed: bool
    message: str = ""


@dataclass(frozen=True)
class Checked:
    """The result of a check.

    tests:   every test cell, in order.
    answers: the answer cells that stopped with an error of their own.
    written: how many written answers a person will grade.
    notes:   what had to be put right, and which cells were stopped.
    """

    tests: tuple[CellResult, ...]
    answers: tuple[CellResult, ...]
    written: int
    notes: tuple[str, ...]

    @property
    def passed(self) -> int:
        """How many test cells passed."""
        return sum(test.passed for test in self.tests)

    @property
    def ok(self) -> bool:
        """Whether all public tests passed."""
        return self.passed == len(self.tests)


def check(course: Course, module: Module, runner: Runner | None = None, limits: Limits | None = None) -> Checked:
    """Run the notebook in `work/` on the released tests, and remember the result for `tito status`.

    Raises:
        CourseError: the module is not here, not started, or the notebook cannot be read.
    """
    skeleton = load_skeleton(require_released(course, module))
    path = course.work(module)
    start = f"Run 'tito start {module.number:02d}' first."
    if not path.is_file():
        raise CourseError(f"You have not started {module.folder} yet.", start)
    try:
        data = read_bytes(path)
        submission = parse_submission(data)
    except Unreadable as reason:
        shown = path.relative_to(course.root).as_posix()
        cure = (
            f"Move it away and run 'tito start {module.number:02d}', then paste your answers into the fresh notebook."
        )
        raise CourseError(f"{shown} cannot be read: {reason}.", cure) from None
    normal = normalise(submission, skeleton)
    execution = (runner or SubprocessRunner()).run(normal.notebook, course.root, limits or Limits())
    result = read_result(execution.notebook, (*normal.repairs, *execution.remarks, *normal.remarks))
    _remember(course, module, data, result)
    return result


def read_result(notebook: NotebookNode, notes: tuple[str, ...]) -> Checked:
    """Sort an executed notebook's cells into passed and failed, as nbgrader does."""
    tests, answers, written = [], [], 0
    for cell in notebook.cells:
        managed = cell.metadata.get("nbgrader", {})
        if cell.cell_type != "code":
            written += bool(managed.get("grade"))
        elif managed.get("grade"):
            message = _failure(cell, stderr_fails=True)
            tests.append(CellResult(managed["grade_id"], not message, message))
        elif managed.get("solution") and (message := _failure(cell, stderr_fails=False)):
            answers.append(CellResult(managed["grade_id"], False, message))
    return Checked(tuple(tests), tuple(answers), written, notes)


def _failure(cell: NotebookNode, stderr_fails: bool) -> str:
    """What went wrong in a cell, in at most twelve lines; "" when nothing did."""
    for output in cell.outputs:
        if output.output_type == "error":
            text = output.evalue.strip("\n") if output.ename == "AssertionError" else f"{output.ename}: {output.evalue}"
            return "\n".join((text or "AssertionError without a message").splitlines()[:MESSAGE_LINES])
    for output in cell.outputs:
        if stderr_fails and output.output_type == "stream" and output.name == "stderr":
            lines = ["The test printed a warning, which costs its points:", *output.text.strip().splitlines()]
            return "\n".join(lines[:MESSAGE_LINES])
    return ""


def _result_path(course: Course, module: Module) -> Path:
    return course.state / "checks" / f"{module.folder}.json"


def _remember(course: Course, module: Module, data: bytes, result: Checked) -> None:
    facts = {"notebook": hashlib.sha256(data).hexdigest(), "passed": result.passed, "tests": len(result.tests)}
    write_atomic(_result_path(course, module), json.dumps(facts) + "\n")


def last_result(course: Course, module: Module) -> tuple[int, int] | None:
    """Return (passed, tests) of the last check, or None when the notebook has changed since or was never checked."""
    try:
        facts = json.loads(_result_path(course, module).read_text(encoding="utf-8"))
        data = course.work(module).read_bytes()
    except (OSError, ValueError):
        return None
    return (facts["passed"], facts["tests"]) if facts["notebook"] == hashlib.sha256(data).hexdigest() else None
