"""Store one graded submission: nbgrader's own code decides what the gradebook says, in one commit."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from nbformat.notebooknode import NotebookNode
from nbgrader.api import BaseCell, Comment, Grade, Gradebook, SubmittedAssignment, SubmittedNotebook
from nbgrader.preprocessors import SaveAutoGrades
from nbgrader.utils import parse_utc

from tito.course import Course
from tito.files import write_atomic
from tito.grading.gradebook import STAMP, gradebook_storage, timestamp
from tito.grading.harmless import harmless
from tito.grading.storage import storage
from tito.registry import Module


def record(gradebook: Gradebook, course: Course, module: Module, student: str, notebook: NotebookNode) -> None:
    """Store the scores of a graded notebook, then write it, harmless, to `autograded/`; doing it twice changes nothing.

    Points given by hand and comments of graders stay. The late penalty is left to `update_penalties`.

    Raises:
        CourseError: the gradebook or the disk refuse; any other error is the submission's.
    """
    target, stamp = course.graded(student, module), timestamp(course.submission(student, module))
    shown = harmless(notebook)
    _without_partial_credit(notebook)
    with gradebook_storage(course), _one_commit(gradebook):
        gradebook.update_or_create_student(student)
        facts = {"timestamp": parse_utc(stamp)} if stamp else {}
        submission = gradebook.update_or_create_submission(module.folder, student, **facts)
        step = _SaveGrades(_Stored(gradebook, submission), _graded_before(target), shown)
        for number, cell in enumerate(notebook.cells):
            step.preprocess_cell(cell, {}, number)
    with storage(f"{target.parent.parent.parent.name}/"):
        write_atomic(target, json.dumps(shown, ensure_ascii=False))  # in one line: in many it takes ten times as long
        if stamp:
            write_atomic(target.with_name(STAMP), stamp)


@contextmanager
def _one_commit(gradebook: Gradebook) -> Iterator[None]:
    """Make one commit of the many that nbgrader's code asks for; after an error nothing of them is stored."""
    with gradebook.engine.begin() as connection:
        gradebook.db.remove()
        gradebook.db.configure(bind=connection, join_transaction_mode="rollback_only", expire_on_commit=False)
        try:
            yield
            gradebook.db.flush()
        finally:
            gradebook.db.remove()
            gradebook.db.configure(bind=gradebook.engine, expire_on_commit=True)


class _Stored:
    """The gradebook of one submission, whose rows are looked up once: nbgrader's step asks for each, and commits it."""

    def __init__(self, gradebook: Gradebook, submission: SubmittedAssignment) -> None:
        self.db = self
        self._grades, self._comments = (_rows(gradebook, submission, kind) for kind in (Grade, Comment))

    def find_grade(self, cell: str, *_: str) -> Grade:
        """Return the points of a cell."""
        return self._grades[cell]

    def find_comment(self, cell: str, *_: str) -> Comment:
        """Return the comment on a cell."""
        return self._comments[cell]

    def commit(self) -> None:
        """Nothing yet: one commit ends them all."""


def _rows(gradebook: Gradebook, submission: SubmittedAssignment, kind: Any) -> dict[str, Any]:
    """The rows of one kind of a submission, by the name of the cell."""
    rows = gradebook.db.query(BaseCell.name, kind).join(kind.cell).join(kind.notebook)
    return dict(rows.filter(SubmittedNotebook.assignment_id == submission.id))


class _SaveGrades(SaveAutoGrades):  # type: ignore[misc]
    """nbgrader asks a person again for every manual score after a regrade; this asks where the answer changed."""

    def __init__(self, gradebook: _Stored, before: NotebookNode, now: NotebookNode) -> None:
        super().__init__()
        self.log.setLevel(logging.ERROR)
        self.gradebook = gradebook
        self.notebook_id = self.assignment_id = self.student_id = ""  # the one that `gradebook` is of
        self._before, self._now = _answers(before), _answers(now)

    def _add_score(self, cell: NotebookNode, resources: Any) -> None:
        grade_id = cell.metadata.nbgrader.grade_id
        grade = self.gradebook.find_grade(grade_id, self.notebook_id, self.assignment_id, self.student_id)
        settled = grade.manual_score is not None and not grade.needs_manual_grade and self._unchanged(grade_id)
        super()._add_score(cell, resources)
        if settled:
            grade.needs_manual_grade = False
            self.gradebook.db.commit()

    def _unchanged(self, grade_id: str) -> bool:
        """Whether the text is the same; for a test cell, every answer of the notebook."""
        if grade_id in self._now:
            return self._now[grade_id] == self._before.get(grade_id)
        return self._now == self._before


def _graded_before(path: Path) -> NotebookNode:
    """The last graded notebook; one without cells when there is none that can be read."""
    try:
        notebook: NotebookNode = nbformat.read(path, as_version=4)
        return notebook
    except (FileNotFoundError, ValueError, KeyError, AttributeError):
        return NotebookNode(cells=[])


def _answers(notebook: NotebookNode) -> dict[str, str]:
    managed = ((cell.metadata.get("nbgrader", {}), cell.source) for cell in notebook.cells)
    return {facts["grade_id"]: source for facts, source in managed if facts.get("solution")}


def _without_partial_credit(notebook: NotebookNode) -> None:
    """nbgrader reads a test cell's result as points; here a test passes or fails."""
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("grade"):
            for output in cell.outputs:
                if output.output_type == "execute_result":
                    output.output_type = "display_data"
                    output.pop("execution_count", None)
