"""Rules on answer cells and on where answers may stand."""

import ast
import re
from collections.abc import Iterator

from tito.lint.source import Finding, Source, line_of
from tito.sources.cells import Cell
from tito.sources.markers import MARKER, SOLUTION, region

LONGEST_REGION = 15  # lines a student has to find
SCAFFOLD = ("TODO", "APPROACH", "EXAMPLE", "HINT")
FOLDED = {"jupyter": {"source_hidden": True}}
HIDING = re.compile(r"hide|hidden|collapsed|remove[-_](cell|input)")


def solution_region(source: Source) -> Iterator[Finding]:
    """A code answer has its solution between markers; without them nbgrader blanks the whole cell."""
    for cell in _code_answers(source):
        inside = region(cell.lines, SOLUTION)
        if inside is None:
            message = f"the SOLUTION markers of cell {cell.name} are not in pairs"
            yield Finding(line_of(cell), "solution-region", message)
        elif not any(cell.lines[line - 1].strip() for line in inside):
            message = f"answer cell {cell.name} has no code between '### BEGIN SOLUTION' and '### END SOLUTION'"
            yield Finding(line_of(cell), "solution-region", message)


def solution_length(source: Source) -> Iterator[Finding]:
    """A solution is short enough to find."""
    for cell in _code_answers(source):
        inside = region(cell.lines, SOLUTION) or []
        if len(inside) > LONGEST_REGION:
            message = f"the solution of cell {cell.name} has {len(inside)} lines, more than {LONGEST_REGION}"
            yield Finding(line_of(cell, inside[0]), "solution-length", message, warning=True)


def scaffolding(source: Source) -> Iterator[Finding]:
    """A code answer's docstring says what to do, and stays when the solution goes."""
    trees = {cell.number: tree for cell, tree in source.code_cells}
    for cell in _code_answers(source):
        inside = set(region(cell.lines, SOLUTION) or [])
        kept = "\n".join(
            text for first, text in _docstrings(trees.get(cell.number, ast.Module([], []))) if first not in inside
        )
        missing = [word for word in SCAFFOLD if f"{word}:" not in kept]
        if missing:
            message = f"the docstring of answer cell {cell.name} lacks {', '.join(missing)} outside the solution"
            yield Finding(line_of(cell), "scaffolding", message)


def markers_in_place(source: Source) -> Iterator[Finding]:
    """Markers stand only where nbgrader acts on them; anywhere else the text between them is handed out."""
    for cell in source.cells:
        for number, line in enumerate(cell.lines, start=1):
            for _, kind in MARKER.findall(line):
                key = "solution" if kind == SOLUTION else "grade"
                if not cell.nbgrader.get(key) or cell.kind != "code":
                    message = f"a {kind} marker in cell {cell.name}, whose metadata does not say '{key}': true"
                    yield Finding(line_of(cell, number), "markers-in-place", message)


def nothing_hidden(source: Source) -> Iterator[Finding]:
    """What a student can open is not a place to hide things: no folded answers or questions, no HTML comments.

    Long given code that is locked may stand folded (`source_hidden`).
    """
    for cell in source.cells:
        settings = {key: value for key, value in cell.metadata.items() if key != "nbgrader"}
        if settings == FOLDED and cell.kind == "code" and _is_locked_given(cell):
            continue
        if HIDING.search(str(settings)):
            yield Finding(line_of(cell), "nothing-hidden", f"the metadata of cell {cell.name} hides it: {settings}")
        for number, line in enumerate(cell.lines, start=1):
            if cell.kind != "code" and "<!--" in line:
                message = "an HTML comment is text that every student can read"
                yield Finding(line_of(cell, number), "nothing-hidden", message)


def question_apart(source: Source) -> Iterator[Finding]:
    """A written answer is replaced whole, so its question stands in the markdown cell above."""
    for before, cell in zip([None, *source.cells], source.cells, strict=False):
        if cell.kind != "markdown" or not cell.nbgrader.get("solution"):
            continue
        if "**Question" in cell.source:
            yield Finding(line_of(cell), "question-apart", f"answer cell {cell.name} holds its question")
        elif before is None or before.kind != "markdown" or before.nbgrader.get("solution"):
            message = f"answer cell {cell.name} does not follow a markdown cell with its question"
            yield Finding(line_of(cell), "question-apart", message)


def _code_answers(source: Source) -> list[Cell]:
    return [cell for cell in source.cells if cell.kind == "code" and cell.nbgrader.get("solution")]


def _is_locked_given(cell: Cell) -> bool:
    managed = cell.nbgrader
    return bool(managed.get("locked")) and not any(managed.get(key) for key in ("grade", "solution", "task"))


def _docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(first line, text) of every docstring of a function or class."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            text = ast.get_docstring(node)
            if text:
                yield node.body[0].lineno, text


RULES = (solution_region, solution_length, scaffolding, markers_in_place, nothing_hidden, question_apart)
