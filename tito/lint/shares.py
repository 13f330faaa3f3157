"""How much of a source is what, and how much of the exported code the student writes."""

import ast
from dataclasses import dataclass

from tito.lint.source import Source
from tito.sources.cells import Cell
from tito.sources.markers import MARKER, SOLUTION, region
from tito.sources.syntax import is_main_guard

PROSE_AT_MOST, TESTS_AT_MOST = 35, 20  # percent of the lines that are not blank
WRITTEN_AT_LEAST, WRITTEN_OVERALL = 25, 35  # percent of the exported lines that stand open: each module, the course


@dataclass(frozen=True)
class Shares:
    """Lines of a source that are not blank.

    lines:    all of them.
    prose:    percent that are prose.
    tests:    percent that are tests.
    written:  exported lines that the student writes.
    open:     exported lines that stand open on the page, without docstrings.
    exported: exported lines without docstrings, folded cells included.
    """

    lines: int
    prose: float
    tests: float
    written: int
    open: int
    exported: int

    @property
    def share(self) -> float:
        """Percent of the open exported lines that the student writes."""
        return 100 * self.written / max(self.open, 1)


def shares(source: Source) -> Shares:
    """Count a source's lines by what they are for, and by who writes them."""
    count = {"prose": 0, "tests": 0, "code": 0}
    written = standing_open = exported = 0
    for cell in source.cells:
        test = cell.nbgrader.get("grade") or "def test_" in cell.source
        kind = "prose" if cell.kind == "markdown" else "tests" if test and not cell.exported else "code"
        count[kind] += sum(bool(line.strip()) for line in cell.lines)
        if cell.exported:
            code = code_lines(cell)
            exported += len(code)
            standing_open += 0 if cell.folded else len(code)
            written += len(code & set(region(cell.lines, SOLUTION) or ()))
    total = max(sum(count.values()), 1)
    return Shares(total, 100 * count["prose"] / total, 100 * count["tests"] / total, written, standing_open, exported)


def code_lines(cell: Cell) -> set[int]:
    """The lines of an exported cell (1-based) that reach the package, without blanks and docstrings."""
    kept = {
        number
        for number, line in enumerate(cell.lines, start=1)
        if line.strip() and number > len(cell.directives) and not MARKER.fullmatch(line.strip())
    }
    try:
        tree = ast.parse(cell.source)
    except SyntaxError:
        return kept
    for guard in filter(is_main_guard, tree.body):
        kept -= set(range(guard.lineno, (guard.end_lineno or guard.lineno) + 1))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        first = body[0] if isinstance(body, list) and body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            kept -= set(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return kept
