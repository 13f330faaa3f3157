"""Errors in a student's cells, told by the cell's name and the student's own line."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from nbformat.notebooknode import NotebookNode

from tito.sources.cells import Cell
from tito.sources.package_file import find_unfit
from tito.sources.syntax import shared_names
from tito.student.work import Work

NOT_WRITTEN = "not written yet"  # how the message of an unwritten answer starts
CURE = "Put the cell right, run it, and export again."


@dataclass(frozen=True)
class CellError:
    """What is wrong with one cell.

    name:    its `grade_id`.
    kind:    the exception's name.
    place:   the cell and the line, in words.
    message: what is wrong there.
    text:    the line, "" when it is not known.
    cure:    the next step.
    """

    name: str
    kind: str
    place: str
    message: str
    text: str = ""
    cure: str = CURE

    @property
    def told(self) -> str:
        """The error without the line's text."""
        return f"{self.kind} in {self.place}: {self.message}"

    @property
    def sentence(self) -> str:
        """All of it on one line."""
        return f"{self.told}: {self.text[:60]}" if self.text else self.told


def error_at(cell: Cell, number: int, kind: str, message: str) -> CellError:
    """An error at a line (1-based) of a cell; 0 when the line is not known."""
    known = 0 < number <= len(cell.lines)
    text = cell.lines[number - 1].strip() if known else ""
    return CellError(cell.grade_id, kind, _place(cell, number if known else 0), message, text)


def _place(cell: Cell, line: int) -> str:
    sort = "answer" if cell.nbgrader.get("solution") else "given"
    return f"{sort} {cell.where(line)}" if line else f"{sort} cell {cell.name}"


def answer_errors(work: Work) -> Iterator[CellError]:
    """Yield what keeps answers out of the package, without running them."""
    cells = work.normal.cells
    for slot in work.answers:
        cell = cells[slot.index]
        unfit = find_unfit(cell) if cell.exported else None
        if unfit:
            where = _place(cell, unfit.line)
            yield CellError(cell.grade_id, unfit.kind, where, unfit.problem, unfit.text, unfit.cure)
        elif missing := sorted(slot.names - shared_names(cell.source).bound):
            yield error_at(cell, 0, "NameError", f"it no longer defines '{missing[0]}'")


def run_error(node: NotebookNode, number: int) -> CellError | None:
    """Return the error that stopped a code cell, at the last of its own lines that were running; None without one.

    Args:
        node: the cell after its run.
        number: its place in the notebook, 1-based.
    """
    for output in node.outputs:
        if output.output_type == "error":
            cell = Cell(node.cell_type, node.source, dict(node.metadata), number)
            lines = re.findall(rf"Cell In\[{node.execution_count}\], line (\d+)", "\n".join(output.traceback))
            return error_at(cell, int(lines[-1]) if lines else 0, output.ename, first_line(problem(output)))
    return None


def first_line(text: str) -> str:
    """The first line that says something, without a file name that only IPython knows."""
    line = next((line for line in text.splitlines() if line.strip()), "no message")
    return re.sub(r" \(<?[\w./-]*>?, line \d+\)$", "", line.strip())


def problem(output: NotebookNode) -> str:
    """What an error's output says is wrong, without the exception's name."""
    if output.ename == "SystemExit":  # its own text is an exit code, or nothing
        return "it called exit() or sys.exit(); take that out"
    return str(output.evalue).strip("\n")


def is_unwritten(output: NotebookNode) -> bool:
    """Whether an error says that an answer is not written yet."""
    return bool(output.ename == "NotImplementedError" and output.evalue.startswith(NOT_WRITTEN))
