"""The one place that writes grades: nbgrader's own code computes and stores them, one submission at a time."""

import logging
import os
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat.notebooknode import NotebookNode
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.preprocessors import AssignLatePenalties, SaveAutoGrades
from nbgrader.utils import parse_utc
from sqlalchemy.exc import SAWarning

from tito.course import COURSE_NAME, Course
from tito.engine.skeleton import Skeleton
from tito.errors import CourseError
from tito.files import write_atomic
from tito.registry import Module


@dataclass(frozen=True)
class Score:
    """What the gradebook says of one submission; `score` is None while nothing was graded.

    score, max_score: points earned and possible.
    needs_manual:     whether a written answer waits for a person.
    """

    score: float | None
    max_score: float
    needs_manual: bool


def open_gradebook(course: Course) -> Gradebook:
    """Open nbgrader's database, a context manager; nbgrader starts programs by name, so PATH must have them."""
    programs = str(Path(sys.executable).parent)
    if programs not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([programs, os.environ.get("PATH", os.defpath)])
    return Gradebook(gradebook_url(course), COURSE_NAME)


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
    """Write the autograded notebook and store its scores; doing it twice changes nothing.

    Points given by hand and comments of graders stay.
    """
    submitted, target = course.submission(student, module), course.graded(student, module)
    _without_partial_credit(notebook)
    write_atomic(target, nbformat.writes(notebook))
    facts = {}
    if submitted.with_name("timestamp.txt").is_file():
        stamp = submitted.with_name("timestamp.txt").read_text(encoding="utf-8").strip()
        write_atomic(target.with_name("timestamp.txt"), stamp)
        facts["timestamp"] = parse_utc(stamp)
    with open_gradebook(course) as gradebook, warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)  # nbgrader's own code sets them off
        gradebook.update_or_create_student(student)
        gradebook.update_or_create_submission(module.folder, student, **facts)
    names = {"notebook": module.name, "assignment": module.folder, "student": student, "db_url": gradebook_url(course)}
    for step in (SaveAutoGrades(), AssignLatePenalties()):
        step.log.setLevel(logging.ERROR)
        step.preprocess(notebook, {"nbgrader": names})


def recorded_students(course: Course, module: Module) -> set[str]:
    """Return the students whose submission of the module stands in the gradebook and in `autograded/`."""
    with open_gradebook(course) as gradebook:
        known = {submission.student.id for submission in gradebook.assignment_submissions(module.folder)}
    return {s for s in known if course.graded(s, module).is_file()}


def read_scores(course: Course) -> dict[tuple[str, str], Score]:
    """Return the scores by (student, module folder); empty when there is no gradebook yet."""
    if not course.gradebook.is_file():
        return {}
    scores = {}
    with open_gradebook(course) as gradebook:
        for assignment in gradebook.assignments:
            for submission in assignment.submissions:
                grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
                graded = any(g.auto_score is not None or g.manual_score is not None for g in grades)
                scores[submission.student.id, assignment.name] = Score(
                    submission.score if graded else None, submission.max_score, submission.needs_manual_grade
                )
    return scores


def _without_partial_credit(notebook: NotebookNode) -> None:
    """nbgrader reads a test cell's result as points; here a test passes or fails."""
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("grade"):
            for output in cell.outputs:
                if output.output_type == "execute_result":
                    output.output_type = "display_data"
                    output.pop("execution_count", None)
