"""Turn a teaching source into the notebook that nbgrader calls `source`, byte for byte the same every time."""

import hashlib
import re
from pathlib import Path

from nbformat import NBFormatError, ValidationError, validate, writes
from nbformat.notebooknode import NotebookNode, from_dict

from tito.course import Course
from tito.errors import CourseError
from tito.files import write_atomic
from tito.registry import Module
from tito.sources.cells import Cell, read_cells

CELL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")  # the notebook format's own rule
NOTEBOOK_METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def build(course: Course, module: Module) -> Path:
    """Write `source/NN_name/name.ipynb` from the module's teaching source.

    Returns:
        The notebook's path. A notebook that is already right is not touched.

    Raises:
        CourseError: the source is missing or unreadable, or two cells would get the same id.
    """
    text = notebook_text(course, module)
    path = course.built(module)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_atomic(path, text)
    return path


def notebook_text(course: Course, module: Module) -> str:
    """Return the built notebook as the text of an `.ipynb` file, validated against nbformat 4.5.

    Raises:
        CourseError: the source is missing or unreadable, or two cells would get the same id.
    """
    notebook = _notebook(read_cells(course.teaching_source(module)), module.source)
    try:
        validate(notebook)
    except (NBFormatError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise CourseError(f"{module.source} makes no valid notebook: {reason}", "Run `tito lint` on it.") from None
    return str(writes(notebook)) + "\n"


def cell_id(cell: Cell) -> str:
    """The cell's id: its `grade_id`, or its place and a hash of its text."""
    return cell.grade_id or f"c{cell.number:03d}-{hashlib.sha1(cell.source.encode()).hexdigest()[:8]}"


def _notebook(cells: list[Cell], name: str) -> NotebookNode:
    seen: dict[str, Cell] = {}
    for cell in cells:
        ident = cell_id(cell)
        if not CELL_ID.fullmatch(ident):
            problem = f"{name}, {cell.where(1)}: grade_id '{ident}' cannot be a cell id."
            raise CourseError(problem, "Use at most 64 letters, digits, '-' and '_'.")
        if ident in seen:
            problem = f"{name}: cells {seen[ident].number} and {cell.number} share the grade_id '{ident}'."
            raise CourseError(problem, "Give each cell its own.")
        seen[ident] = cell
    notebook: NotebookNode = from_dict(
        {
            "cells": [_node(cell) for cell in cells],
            "metadata": NOTEBOOK_METADATA,
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    )
    return notebook


def _node(cell: Cell) -> dict[str, object]:
    node: dict[str, object] = {
        "cell_type": cell.kind,
        "id": cell_id(cell),
        "metadata": cell.metadata,
        "source": cell.source,
    }
    return node | ({"execution_count": None, "outputs": []} if cell.kind == "code" else {})
