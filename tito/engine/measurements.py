"""Which cells only measure or check. They earn nothing, so the runner leaves them out, which saves half of the time."""

import ast
import re
from functools import lru_cache

from nbformat.notebooknode import NotebookNode

from tito.sources.syntax import parse

PREFIXES = ("analyze_", "check_")


def measurements(notebook: NotebookNode) -> frozenset[int]:
    """Return the positions of the cells that nothing graded can depend on.

    A measurement is a given, ungraded cell that only defines functions and classes and calls `analyze_*` or `check_*`,
    and no other cell names what it defines.
    """
    defined = {index: _defined(cell) for index, cell in enumerate(notebook.cells)}
    others = (cell.source for index, cell in enumerate(notebook.cells) if not defined[index])
    named = {word for source in others for word in re.findall(r"\w+", source)}
    return frozenset(index for index, names in defined.items() if names and not names & named)


def without_measurements(notebook: NotebookNode) -> NotebookNode:
    """Empty the cells that only measure; changes the notebook in place and returns it."""
    for index in measurements(notebook):
        notebook.cells[index].source = ""
    return notebook


def _defined(cell: NotebookNode) -> frozenset[str]:
    """What a cell defines, if it has the form of a measurement; else nothing."""
    managed = cell.metadata.get("nbgrader", {})
    if cell.cell_type != "code" or managed.get("solution") or managed.get("grade"):
        return frozenset()
    return _defined_to_measure(cell.source)


@lru_cache(maxsize=500)  # the same cells come again with every submission
def _defined_to_measure(text: str) -> frozenset[str]:
    try:
        statements = parse(text).body
    except (SyntaxError, ValueError):  # a magic, for example
        return frozenset()
    names = {node.name for node in statements if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    calls = [node for node in statements if not isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return frozenset(names if calls and all(_measures(node) for node in calls) else ())


def _measures(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Name(id=name))):
            return name.startswith(PREFIXES)
        case ast.If(test=condition, body=body, orelse=[]):
            return ast.unparse(condition) == "__name__ == '__main__'" and all(_measures(inner) for inner in body)
    return False
