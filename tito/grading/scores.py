"""What the gradebook says: points, what waits for a person, how late, and who is in the class."""

import math
from dataclasses import dataclass

from nbgrader.api import SubmittedAssignment

from tito.course import Course
from tito.grading.gradebook import has_gradebook, open_gradebook


@dataclass(frozen=True)
class Score:
    """The points of one submission.

    score:     points after the late penalty, without those that wait; None while nothing was graded.
    max_score: points that could be had so far: the whole without those that wait.
    waits:     points of answers that wait for a person.
    late_days: how late it came, in days, rounded up to a hundredth.
    penalty:   what nbgrader's late policy takes off.
    """

    score: float | None
    max_score: float
    waits: float = 0.0
    late_days: float = 0.0
    penalty: float = 0.0


def read_scores(course: Course) -> dict[tuple[str, str], Score]:
    """Return the scores by (student, module folder); empty when there is no gradebook yet."""
    if not has_gradebook(course):
        return {}
    with open_gradebook(course) as gradebook:
        submissions = [one for assignment in gradebook.assignments for one in assignment.submissions]
        return {(one.student.id, one.assignment.name): _score(one) for one in submissions}


def enrolled_students(course: Course) -> list[str]:
    """Return everyone in nbgrader's student table, sorted; nobody when there is no gradebook yet."""
    if not has_gradebook(course):
        return []
    with open_gradebook(course) as gradebook:
        return sorted(student.id for student in gradebook.students)


def _score(submission: SubmittedAssignment) -> Score:
    grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
    settled = [grade for grade in grades if not grade.needs_manual_grade]
    graded = any(g.needs_manual_grade or g.auto_score is not None or g.manual_score is not None for g in grades)
    penalty = submission.late_submission_penalty or 0.0
    points = max(0.0, sum(grade.score for grade in settled) - penalty)
    return Score(
        score=points if graded else None,
        max_score=sum(grade.max_score for grade in settled),
        waits=sum(grade.max_score for grade in grades if grade.needs_manual_grade),
        late_days=math.ceil(submission.total_seconds_late / 864) / 100,
        penalty=penalty,
    )
