"""nbgrader's database: opening it, and what all of a module's submissions have in common."""

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nbformat.notebooknode import NotebookNode
from nbgrader.api import (
    Assignment,
    Gradebook,
    MissingEntry,
    SubmittedAssignment,
)
from nbgrader.preprocessors import AssignLatePenalties
from sqlalchemy.exc import SAWarning
from traitlets import TraitError
from traitlets.config import Config

from tito.course import COURSE_NAME, Course
from tito.engine.skeleton import Skeleton
from tito.errors import CourseError
from tito.grading.settings import FILE, nbgrader_config
from tito.grading.storage import storage
from tito.registry import Module

STAMP = "timestamp.txt"  # when it was handed in; beside the notebook, as nbgrader wants it
INSTEAD = (
    "Put back a copy of it. Without one 'tito gradebook rebuild' makes a new one, with the points given by hand "
    "that the last 'tito grade' found."
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
    """Where nbgrader finds the database: `gradebook.db`, or a server that the course's settings name."""
    return str(nbgrader_config(course).CourseDirectory.get("db_url", f"sqlite:///{course.gradebook}"))


def has_gradebook(course: Course) -> bool:
    """Whether there is a gradebook; one on a server is made where it is missing."""
    return course.gradebook.is_file() or not is_file(course)


def is_file(course: Course) -> bool:
    """Whether the gradebook is a file of the course, not a database on a server."""
    return gradebook_url(course).startswith("sqlite:")


def check_assignment(course: Course, module: Module, skeleton: Skeleton) -> None:
    """Make sure that the gradebook knows the module as the source notebook has it now.

    Raises:
        CourseError: the module was not released, or has changed since.
    """
    cure = f"Run 'tito release {module.number:02d}'."
    if not has_gradebook(course):
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


def timestamp(notebook: Path) -> str:
    """Return when a submission was handed in, as the file beside it says; "" without one."""
    file = notebook.with_name(STAMP)
    return file.read_text(encoding="utf-8", errors="replace").strip() if file.is_file() else ""


def update_penalties(course: Course, module: Module) -> None:
    """Apply the late policy as it is now: a due date or the policy may have changed since grading."""
    with open_gradebook(course) as gradebook:
        submissions = gradebook.assignment_submissions(module.folder)
        touched = [s.student.id for s in submissions if s.total_seconds_late > 0 or s.late_submission_penalty]
    if touched:
        step = _late_penalties(nbgrader_config(course))
    for student in touched:
        with gradebook_storage(course):
            step(NotebookNode(cells=[]), _resources(course, module, student))


def recorded_students(gradebook: Gradebook, course: Course, module: Module) -> set[str]:
    """Return the students whose submission stands in the gradebook and, with its time, in `autograded/`."""
    with gradebook_storage(course):
        rows = gradebook.db.query(SubmittedAssignment.student_id).join(Assignment)
        known = {student for (student,) in rows.filter(Assignment.name == module.folder)}
        gradebook.db.remove()  # ends the reading
    return {student for student in known if course.graded(student, module).is_file()}


def _late_penalties(config: Config) -> AssignLatePenalties:
    """nbgrader's step with the course's policy.

    Raises:
        CourseError: the settings name a policy that there is not.
    """
    try:
        step = AssignLatePenalties(config=config)
        step.init_plugin()
        step.log.setLevel(logging.ERROR)
    except (TraitError, ImportError) as error:
        raise CourseError(
            f"The late policy in {FILE} cannot be used: {error}.", "Put that line of it right."
        ) from error
    return step


def _resources(course: Course, module: Module, student: str) -> dict[str, Any]:
    """What nbgrader's steps are told."""
    names = {"notebook": module.name, "assignment": module.folder, "student": student, "db_url": gradebook_url(course)}
    return {"nbgrader": names}
