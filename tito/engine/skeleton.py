"""The pristine notebook that a submission's answers are laid onto."""

import ast
import copy
import re
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import ValidationError
from nbformat.notebooknode import NotebookNode

from tito.errors import CourseError
from tito.sources.cells import Cell
from tito.sources.package_file import STRAY_DIRECTIVE
from tito.sources.syntax import parse

STUB = "raise NotImplementedError"  # how the line starts that nbgrader puts in a solution's place
TIMER = re.compile(r"%%(?:capture|prun|time|timeit)\b.*")


@dataclass(frozen=True)
class Slot:
    """One cell of the pristine notebook.

    index:    its position.
    grade_id: nbgrader's name, "" for cells that nbgrader does not manage.
    id:       the notebook format's cell id.
    kind:     "code" or "markdown".
    answer:   the student writes here.
    points:   what it is worth, None when it is not graded.
    shown:    its text as the student received it (no hidden tests, no solution).
    names:    what the shown text defines at top level; a way to recognise it without metadata.
    """

    index: int
    grade_id: str
    id: str
    kind: str
    answer: bool
    points: float | None
    shown: str
    names: frozenset[str]

    @property
    def label(self) -> str:
        """How messages call the cell."""
        return f"'{self.grade_id}'" if self.grade_id else f"number {self.index + 1}"

    @property
    def sort(self) -> str:
        """What messages call a cell that is not the student's."""
        return "Test" if self.points else "Given"

    def unwritten(self, text: str) -> bool:
        """Whether `text` is no answer yet: as released, or with a line that stands where an answer belongs."""
        stubs = {line for line in _stripped(self.shown) if line.startswith(STUB)}
        return _stripped(text) == _stripped(self.shown) or not stubs.isdisjoint(_stripped(text))


class Skeleton:
    """Answer cells as released, everything else as the instructor wrote it, hidden tests included."""

    def __init__(self, full: NotebookNode, released: NotebookNode) -> None:
        if len(full.cells) != len(released.cells):
            raise CourseError("The release notebook is older than its source.", "Run 'tito release' again.")
        self._notebook = copy.deepcopy(full)
        for cell, shown in zip(self._notebook.cells, released.cells, strict=True):
            managed = cell.metadata.get("nbgrader")
            if managed and managed.get("solution"):
                cell.source, cell.metadata = shown.source, copy.deepcopy(shown.metadata)
            elif managed and full is not released:
                managed["checksum"] = _checksum(cell)
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        pairs = zip(self._notebook.cells, released.cells, strict=True)
        self.slots = tuple(_slot(index, cell, shown.source) for index, (cell, shown) in enumerate(pairs))

    def notebook(self) -> NotebookNode:
        """A fresh copy that may be filled in."""
        return copy.deepcopy(self._notebook)


def load_skeleton(released: Path, full: Path | None = None) -> Skeleton:
    """Read the skeleton of a module.

    Args:
        released: the notebook that students receive.
        full: the notebook with hidden tests; None in a student kit, where there is none.

    Raises:
        CourseError: a notebook is missing, or the two do not belong together.
    """
    shown = _read(released)
    return Skeleton(_read(full) if full else shown, shown)


def _read(path: Path) -> NotebookNode:
    if not path.is_file():
        raise CourseError(f"{path} is missing.", "Run 'tito release' first.")
    try:
        notebook: NotebookNode = nbformat.read(path, as_version=4)
    except (ValueError, ValidationError, AttributeError, KeyError, TypeError):
        cure = "Restore it from the kit's zip, or run 'tito release' again."
        raise CourseError(f"{path} is damaged: it holds no notebook.", cure) from None
    return notebook


def defined_names(source: str) -> frozenset[str]:
    """Return the functions, classes and variables that a text defines at top level, even when it does not parse."""
    try:
        tree = parse(source)
    except (SyntaxError, ValueError):
        return frozenset(re.findall(r"^(?:async\s+def|def|class)\s+(\w+)", source, flags=re.MULTILINE))
    names = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return frozenset(names)


def without_timer(source: str) -> tuple[str, str]:
    """Take from an answer the notebook command at its top that times it: with it the cell is no Python.

    Returns:
        The text, and the command, "" when there was none.
    """
    lines = source.splitlines()
    tops = [number for number, line in enumerate(lines) if line.strip() and not line.startswith("#|")][:1]
    for number in tops:
        if TIMER.fullmatch(lines[number].strip()):
            return "\n".join(lines[:number] + lines[number + 1 :]), lines[number].strip()
    return source, ""


def with_directives(source: str, shown: str, kind: str) -> tuple[str, bool]:
    """Give an answer the `#|` lines of the released cell, which decide what is exported.

    Returns:
        The text, and whether it had others.
    """
    have, want = Cell(kind, source, {}, 0), Cell(kind, shown, {}, 0)
    strays = [number for number, line in enumerate(have.lines) if kind == "code" and STRAY_DIRECTIVE.match(line)]
    if have.directives == want.directives and strays == list(range(len(want.directives))):
        return source, False
    rest = [line for number, line in enumerate(have.lines) if number not in strays]
    return "\n".join([*want.lines[: len(want.directives)], *rest]), True


def _stripped(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


def _checksum(cell: NotebookNode) -> str:
    from nbgrader.utils import compute_checksum  # only where grades are stored: students need no nbgrader

    return str(compute_checksum(cell))


def _slot(index: int, cell: NotebookNode, shown: str) -> Slot:
    managed = cell.metadata.get("nbgrader", {})
    return Slot(
        index=index,
        grade_id=managed.get("grade_id", ""),
        id=cell.get("id", ""),
        kind=cell.cell_type,
        answer=bool(managed.get("solution")),
        points=float(managed["points"]) if managed.get("grade") else None,
        shown=shown,
        names=defined_names(shown) if cell.cell_type == "code" else frozenset(),
    )
