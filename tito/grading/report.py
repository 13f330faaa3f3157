"""The grade table: every student and module with a status; what was not graded has no score, not the score 0."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from tito.course import Course
from tito.grading.grade import all_students, submitted_students
from tito.grading.gradebook import read_scores
from tito.grading.journal import read_journal
from tito.registry import Module

COLUMNS = ("student", "module", "status", "score", "max_score", "needs_manual", "notes")


@dataclass(frozen=True)
class Row:
    """One student and module.

    status: as in the journal, "missing" without a submission, "not graded" before `tito grade`.
    score:  points so far, None when there is no grade.
    needs_manual: whether a written answer waits for a person; its points are not in `score` yet.
    """

    student: str
    module: str
    status: str
    score: float | None
    max_score: float | None
    needs_manual: bool
    notes: tuple[str, ...]


def grade_rows(course: Course, modules: Sequence[Module]) -> list[Row]:
    """Return a row for every student who handed in anything, for each module, sorted by student."""
    scores = read_scores(course)
    entries = {(entry.student, entry.module): entry for entry in read_journal(course.state)}
    students = sorted({*all_students(course), *(student for student, _ in scores)})
    handed_in = {(student, module.folder) for module in modules for student in submitted_students(course, module)}
    rows = []
    for student in students:
        for module in modules:
            place = (student, module.folder)
            entry = entries.get(place)
            status = entry.status if entry else "not graded" if place in handed_in else "missing"
            score = scores.get(place) if status != "unreadable" else None
            if score and not entry and score.score is not None:
                status = "graded"  # by nbgrader itself
            rows.append(
                Row(
                    student,
                    module.folder,
                    status,
                    score.score if score else None,
                    score.max_score if score else None,
                    bool(score and score.needs_manual),
                    entry.notes if entry else (),
                )
            )
    return rows


def csv_text(rows: Sequence[Row]) -> str:
    """Return the rows as CSV; a missing score is an empty field."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        numbers = ["" if value is None else f"{value:g}" for value in (row.score, row.max_score)]
        manual = "yes" if row.needs_manual else "no"
        writer.writerow([_safe(row.student), row.module, row.status, *numbers, manual, _safe(" ".join(row.notes))])
    return file.getvalue()


def _safe(text: str) -> str:
    """A spreadsheet must not take a student's text for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t")) else text
