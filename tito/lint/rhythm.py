"""Rules on what a reader meets: how soon the first exercise comes, how long given code, tests and lines are."""

import ast
from collections.abc import Iterator

from tito.lint.source import Finding, Source, line_of
from tito.sources.cells import Cell
from tito.sources.markers import HIDDEN_TESTS, MARKER, region

FIRST_EXERCISE = 120  # lines of the notebook that may stand before it
LONGEST_GIVEN = 60  # lines of a given cell that is not folded
LONGEST_LINE = 100  # characters: what a window of 1366 pixels shows
LONGEST_TEST = 15  # lines of a test that students see


def first_exercise(source: Source) -> Iterator[Finding]:
    """Whoever opens the page writes something soon."""
    before = 0
    for cell in source.cells:
        if cell.nbgrader.get("solution") and cell.kind == "code":
            if before > FIRST_EXERCISE:
                message = f"the first exercise, {cell.name}, comes after {before} lines, more than {FIRST_EXERCISE}"
                yield Finding(line_of(cell), "first-exercise", message)
            return
        before += len(cell.lines)


def given_length(source: Source) -> Iterator[Finding]:
    """Long given code is folded, or cut into pieces with a sentence between them."""
    for cell in source.cells:
        given = cell.kind == "code" and not cell.nbgrader.get("solution") and not cell.nbgrader.get("grade")
        count = sum(bool(line.strip()) for line in cell.lines)
        if given and not cell.folded and count > LONGEST_GIVEN:
            message = f"given cell {cell.name} has {count} lines, more than {LONGEST_GIVEN}: fold it or cut it"
            yield Finding(line_of(cell), "given-length", message)


def line_length(source: Source) -> Iterator[Finding]:
    """No line runs out of the window; a prose line breaks by itself."""
    for cell in source.cells:
        for number, line in enumerate(cell.lines if cell.kind == "code" else [], start=1):
            if len(line) > LONGEST_LINE:
                message = f"{len(line)} characters, more than {LONGEST_LINE}"
                yield Finding(line_of(cell, number), "line-length", message)


def test_length(source: Source) -> Iterator[Finding]:
    """A test is read before the answer is written."""
    for cell, tree in source.test_cells:
        hidden = set(region(cell.lines, HIDDEN_TESTS) or [])
        for node in tree.body:
            if isinstance(node, ast.FunctionDef):
                count = len(_shown(cell, node, hidden))
                if count > LONGEST_TEST:
                    message = f"{node.name} shows {count} lines, more than {LONGEST_TEST}"
                    yield Finding(line_of(cell, node.lineno), "test-length", message)


def _shown(cell: Cell, node: ast.FunctionDef, hidden: set[int]) -> list[int]:
    """The lines of a test that students see and that say something."""
    numbers = range(node.lineno, (node.end_lineno or node.lineno) + 1)
    lines = {number: cell.lines[number - 1].strip() for number in numbers if number not in hidden}
    return [number for number, line in lines.items() if line and not MARKER.fullmatch(line)]


RULES = (first_exercise, given_length, line_length, test_length)
