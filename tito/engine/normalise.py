"""Lay a student's answers onto the pristine notebook, and say in words what had to be put right."""

from dataclasses import dataclass

from nbformat.notebooknode import NotebookNode

from tito.engine.layout import Layout
from tito.engine.reading import Submission, Unreadable, format_repairs
from tito.engine.remarks import remarks
from tito.engine.skeleton import Skeleton, with_directives, without_timer
from tito.sources.cells import Cell


@dataclass(frozen=True)
class Normalised:
    """A pristine notebook with the student's answers in it.

    notebook: ready to run; every given and test cell is the instructor's.
    repairs:  what differed from the released notebook and was put right, one sentence each.
    remarks:  what the student should know though nothing was wrong.
    """

    notebook: NotebookNode
    repairs: tuple[str, ...]
    remarks: tuple[str, ...]

    @property
    def cells(self) -> list[Cell]:
        """The notebook's cells, as `tito.sources` takes them."""
        return [
            Cell(node.cell_type, node.source, dict(node.metadata), number, id=node.get("id", ""))
            for number, node in enumerate(self.notebook.cells, start=1)
        ]


def normalise(submission: Submission, skeleton: Skeleton) -> Normalised:
    """Take only the text of the answer cells from a submission.

    A cell is recognised by its `grade_id`, then by its cell id, then by the function or class it defines, and a written
    answer by its place after its question.

    Returns:
        The pristine notebook with these texts in place, and the repairs in words.

    Raises:
        Unreadable: no answer cell of the module is in it.
    """
    layout = Layout(submission, skeleton)
    layout.match_by_metadata()
    layout.match_by_name()
    layout.match_by_place()
    layout.match_own()
    layout.match_merged()
    if not any(slot.answer for slot in skeleton.slots if slot.index in layout.found):
        raise Unreadable("none of the module's answer cells is in it; perhaps it is another module's notebook")
    notebook, marks = skeleton.notebook(), []
    for slot in skeleton.slots:
        if slot.answer and slot.index in layout.found:
            source, timer = without_timer(layout.found[slot.index].source)
            source, changed = with_directives(source, slot.shown, slot.kind)
            notebook.cells[slot.index].source = source
            marks += [f"'{timer}' at the top of cell {slot.label} was left out: it is no Python."] if timer else []
            marks += [f"The '#|' lines of cell {slot.label} had been changed; they were put back."] if changed else []
    repairs = [*submission.repairs, *layout.repairs(), *format_repairs(submission)]
    return Normalised(notebook, tuple(repairs), (*marks, *remarks(layout)))
