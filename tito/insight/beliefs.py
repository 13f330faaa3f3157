"""Which misconceptions of the bank occurred, read from what the failing tests told the students."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from nbformat.notebooknode import NotebookNode

from tito.engine.cells import is_test
from tito.lab.beliefs import FOLDER
from tito.registry import Module


@dataclass(frozen=True)
class Belief:
    """A misconception over the class.

    text:     the belief, as the failing test states it.
    students: who was told it, sorted; a test that names two beliefs counts for both.
    cells:    the tests that told it, in the page's order.
    """

    text: str
    students: tuple[str, ...]
    cells: tuple[str, ...]


def beliefs(module: Module, notebooks: dict[str, NotebookNode]) -> list[Belief]:
    """The beliefs that occurred, the most frequent first.

    Args:
        notebooks: student -> graded notebook.
    """
    path = FOLDER / f"{module.folder}.json"
    if not path.is_file():
        return []
    bank = json.loads(path.read_text(encoding="utf-8"))["beliefs"]
    found = [_belief(text, notebooks) for text in bank]
    return sorted((one for one in found if one.students), key=lambda one: (-len(one.students), one.text))


def _belief(text: str, notebooks: dict[str, NotebookNode]) -> Belief:
    students, cells = [], []
    for student, notebook in sorted(notebooks.items()):
        told = [cell.metadata.nbgrader.grade_id for cell in notebook.cells if f'"{text}"' in told_by(cell)]
        if told:
            students.append(student)
            cells += told
    return Belief(text, tuple(students), tuple(dict.fromkeys(cells)))


def told_by(cell: NotebookNode) -> str:
    """The message of a test that failed; nothing for another cell, whose output the student may have printed."""
    if not is_test(cell):
        return ""
    outputs: Sequence[NotebookNode] = cell.get("outputs", [])
    return "\n".join(" ".join(output.evalue.split()) for output in outputs if output.output_type == "error")
