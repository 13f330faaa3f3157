"""The one place that writes grades: nbgrader's own code computes and stores them, one submission at a time."""

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from nbformat.notebooknode import NotebookNode
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.preprocessors import AssignLatePenalties, SaveAutoGrades
from nbgrader.utils import parse_utc
from sqlalchemy.exc import SAWarning
from traitlets import TraitError
from traitlets.config import Config

from tito.course import COURSE_NAME, Course
from tito.engine.skeleton import Skeleton
from tito.errors import CourseError
from tito.files import write_atomic
from tito.grading.settings import FILE, nbgrader_config
from tito.grading.storage import storage
from tito.registry import Module

STAMP = "timestamp.txt"  # when it was handed in; beside the notebook, as nbgrader wants it
INSTEAD = (
    "Put back a copy of it. Without one move it away: 'tito release' and 'tito grade' make a new one, "
    "without points given by hand."
)


@contextmanager
def open_gradebook(course: Course) -> Iterator[Gradebook]:
    """Open nbgrader's database.

    Raises:
        CourseError: it cannot be used; the message says why.
    """
    programs = str(Path(sys.executable).parent)
    if programs not in os.environ.get("PATH", "").split(os.pathsep):  # nbgrader starts programs by their names
        os.environ["PATH"] = os.pathsep.join([programs, os.environ.get("PATH", os.defpath)])
    with gradebook_storage(course), Gradebook(gradebook_url(course), COURSE_NAME) as gradebook:
        yield gradebook


@contextmanager
def gradebook_storage(course: Course) -> Iterator[None]:
    """Explain what goes wrong inside with the gradebook's file; nbgrader's own tracebacks and warnings are silent."""
    logging.getLogger("tornado.application").setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore", SAWarning)  # for good: threads that run submissions put filters back as they were
    with storage(course.gradebook.name, INSTEAD):
        yield


def gradebook_url(course: Course) -> str:
    """Where nbgrader finds the database."""
    return f"sqlite:///{course.gradebook}"


def check_assignment(course: Course, module: Module, skeleton: Skeleton) -> None:
    """Make sure that the gradebook knows the module as the source notebook has it now.

    Raises:
        CourseError: the module was not released, or has changed since.
    """
    cure = f"Run 'tito release {module.number:02d}'."
    if not course.gradebook.is_file():
        raise CourseError(f"Module {module.folder} has not been released yet: there is no gradebook.", cure)
    wanted = {slot.grade_id: slot.points for slot in skeleton.slots if slot.points is not None}
    with open_gradebook(course) as gradebook:
        try:
            notebook = gradebook.find_notebook(module.name, module.folder)
        except MissingEntry:
            raise CourseError(f"Module {module.folder} is not in the gradebook.", cure) from None
        known = {cell.name: cell.max_score for cell in notebook.grade_cells}
    if known != wanted:
        raise CourseError(f"The graded cells of {module.folder} have changed since its release.", cure)


def record(course: Course, module: Module, student: str, notebook: NotebookNode) -> None:
    """Store the scores of a graded notebook, then write it to `autograded/`; doing it twice changes nothing.

    Points given by hand and comments of graders stay.

    Raises:
        CourseError: the gradebook, the disk or the course's settings refuse; any other error is the submission's.
    """
    target, stamp = course.graded(student, module), timestamp(course.submission(student, module))
    _without_partial_credit(notebook)
    with open_gradebook(course) as gradebook:
        gradebook.update_or_create_student(student)
        facts = {"timestamp": parse_utc(stamp)} if stamp else {}
        gradebook.update_or_create_submission(module.folder, student, **facts)
    config = nbgrader_config(course)
    _apply(course, module, student, notebook, _SaveGrades(_graded_before(target), notebook, config=config))
    _apply(course, module, student, notebook, _late_penalties(config))
    with storage(f"{target.parent.parent.parent.name}/"):
        write_atomic(target, nbformat.writes(notebook))
        if stamp:
            write_atomic(target.with_name(STAMP), stamp)


def timestamp(notebook: Path) -> str:
    """Return when a submission was handed in, as the file beside it says; "" without one."""
    file = notebook.with_name(STAMP)
    return file.read_text(encoding="utf-8", errors="replace").strip() if file.is_file() else ""


def update_penalties(course: Course, module: Module) -> None:
    """Apply the late policy as it is now: a due date or the policy may have changed since grading."""
    with open_gradebook(course) as gradebook:
        submissions = gradebook.assignment_submissions(module.folder)
        touched = [s.student.id for s in submissions if s.total_seconds_late > 0 or s.late_submission_penalty]
    config = nbgrader_config(course) if touched else Config()
    for student in touched:
        _apply(course, module, student, NotebookNode(cells=[]), _late_penalties(config))


def recorded_students(course: Course, module: Module) -> set[str]:
    """Return the students whose submission stands in the gradebook and, with its time, in `autograded/`."""
    with open_gradebook(course) as gradebook:
        known = {submission.student.id for submission in gradebook.assignment_submissions(module.folder)}
    return {student for student in known if course.graded(student, module).is_file()}


def _late_penalties(config: Config) -> AssignLatePenalties:
    """nbgrader's step with the course's policy.

    Raises:
        CourseError: the settings name a policy that there is not.
    """
    try:
        step = AssignLatePenalties(config=config)
        step.init_plugin()
    except (TraitError, ImportError) as error:
        raise CourseError(
            f"The late policy in {FILE} cannot be used: {error}.", "Put that line of it right."
        ) from error
    return step


def _apply(course: Course, module: Module, student: str, notebook: NotebookNode, step: Any) -> None:
    """Let one of nbgrader's steps do its work."""
    step.log.setLevel(logging.ERROR)
    names = {"notebook": module.name, "assignment": module.folder, "student": student, "db_url": gradebook_url(course)}
    with gradebook_storage(course):
        step(notebook, {"nbgrader": names})


class _SaveGrades(SaveAutoGrades):  # type: ignore[misc]
    """nbgrader asks a person again for every manual score after a regrade; this asks where the answer changed."""

    def __init__(self, before: NotebookNode, now: NotebookNode, **settings: Any) -> None:
        super().__init__(**settings)
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
