"""Run the tests on a student's notebook with the student's own package: the same engine as grading."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from nbformat.notebooknode import NotebookNode

from tito.course import Course
from tito.engine.runner import STOPPED, Limits, Runner, SubprocessRunner
from tito.student.answers import CellError, answer_errors, is_unwritten, problem, run_error
from tito.student.work import Work

MESSAGE_LINES = 12
State = Literal["passed", "failed", "not written"]


@dataclass(frozen=True)
class CellResult:
    """One test cell: its `grade_id`, its state, and the message when it did not pass."""

    name: str
    state: State
    message: str = ""


@dataclass(frozen=True)
class Checked:
    """The result of a check.

    given:   the error of a given cell that others rely on, when nothing before it failed: the rest follows from it.
    answers: what is wrong with answer cells themselves.
    tests:   every test cell, in order.
    written: how many written answers a person will grade.
    notes:   what had to be put right, and which cells were stopped that are none of those above.
    """

    given: CellError | None
    answers: tuple[CellError, ...]
    tests: tuple[CellResult, ...]
    written: int
    notes: tuple[str, ...]

    def count(self, state: State) -> int:
        """How many test cells are in a state."""
        return sum(test.state == state for test in self.tests)

    @property
    def passed(self) -> int:
        """How many test cells passed."""
        return self.count("passed")

    @property
    def ok(self) -> bool:
        """Whether all public tests passed, and the answers can be exported."""
        return self.passed == len(self.tests) and not self.answers and not self.given


def check(course: Course, work: Work, runner: Runner | None = None, limits: Limits | None = None) -> Checked:
    """Run a student's notebook on the released tests, with the student's own package."""
    wrong = {error.name: error for error in answer_errors(work)}
    execution = (runner or SubprocessRunner()).run(work.normal.notebook, course.root, limits or Limits())
    cells = execution.notebook.cells
    silent = [stop.remark for stop in execution.stops if "nbgrader" not in cells[stop.cell].metadata]
    return read_result(execution.notebook, (*work.notes, *silent), wrong)


def read_result(
    notebook: NotebookNode, notes: Sequence[str] = (), wrong: Mapping[str, CellError] | None = None
) -> Checked:
    """Sort an executed notebook's cells into passed and failed, as nbgrader does.

    Args:
        notebook: after its run.
        notes: what the student is told besides.
        wrong: `grade_id` -> what is wrong with an answer cell, as far as that is known without running it.
    """
    given, answers, tests, written = None, [], [], 0
    for number, cell in enumerate(notebook.cells, start=1):
        managed = cell.metadata.get("nbgrader", {})
        if cell.cell_type != "code":
            written += bool(managed.get("grade"))
        elif managed.get("grade"):
            tests.append(CellResult(managed["grade_id"], *_test_state(cell)))
        elif managed and (error := (wrong or {}).get(managed["grade_id"]) or run_error(cell, number)):
            if managed.get("solution"):
                answers.append(error)
            elif not answers and given is None and error.kind != "NotImplementedError":
                given = error
    return Checked(given, tuple(answers), tuple(tests), written, tuple(notes))


def _test_state(cell: NotebookNode) -> tuple[State, str]:
    """The state of a test cell, and what went wrong in at most twelve lines; "" when nothing did."""
    for output in cell.outputs:
        if output.output_type == "error":
            if is_unwritten(output):
                return "not written", output.evalue.splitlines()[0]
            alone = output.ename in ("AssertionError", STOPPED)
            text = problem(output) if alone else f"{output.ename}: {problem(output)}"
            return "failed", _shortened((text.removesuffix(": ") or "AssertionError without a message").splitlines())
    for output in cell.outputs:
        if output.output_type == "stream" and output.name == "stderr":
            lines = ["The test printed a warning, which costs its points:", *output.text.strip().splitlines()]
            return "failed", _shortened(lines)
    return "passed", ""


def _shortened(lines: list[str]) -> str:
    return "\n".join(lines[:MESSAGE_LINES])
