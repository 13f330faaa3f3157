"""What every rule gets to see, and what it returns."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tito.course import Course
from tito.registry import Module
from tito.sources.cells import Cell, read_cells
from tito.sources.syntax import compile_plain


@dataclass(frozen=True)
class Finding:
    """One thing that is not as the course wants it; a warning does not fail the run.

    line: 1-based line of the file.
    rule: the rule's name, as in "solution-region".
    """

    line: int
    rule: str
    message: str
    warning: bool = False


@dataclass(frozen=True)
class Source:
    """A module's teaching source: its registry row, its file, its cells."""

    course: Course
    module: Module
    cells: list[Cell]

    @property
    def path(self) -> Path:
        """The file."""
        return self.course.teaching_source(self.module)

    @cached_property
    def code_cells(self) -> list[tuple[Cell, ast.Module]]:
        """The code cells that are Python, with their syntax trees."""
        trees = [(cell, _tree(cell)) for cell in self.cells if cell.kind == "code"]
        return [(cell, tree) for cell, tree in trees if tree]

    @cached_property
    def test_cells(self) -> list[tuple[Cell, ast.Module]]:
        """The code cells that nbgrader scores."""
        return [(cell, tree) for cell, tree in self.code_cells if cell.nbgrader.get("grade")]


Rule = Callable[[Source], Iterator[Finding]]


def read_source(course: Course, module: Module) -> Source:
    """Read a module's teaching source.

    Raises:
        CourseError: it is missing or unreadable.
    """
    return Source(course, module, read_cells(course.teaching_source(module)))


def line_of(cell: Cell, line: int = 1) -> int:
    """The file's line of a line (1-based) of `cell`."""
    return cell.line + line - 1


def _tree(cell: Cell) -> ast.Module | None:
    try:
        return compile_plain(cell.source, cell.name)
    except SyntaxError:
        return None
