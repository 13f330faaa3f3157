"""The grade table: every student and module with a status; what was not graded has no score, not the score 0."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from tito.course import Course
from tito.grading.grade import all_students, misnamed, submitted_students
from tito.grading.journal import Entry, read_journal
from tito.grading.scores import Score, enrolled_students, read_scores
from tito.grading.status import Status
from tito.grading.work import release_digest
from tito.registry import Module

COLUMNS = ("student", "module", "status", "score", "max_score", "waits", "late_days", "penalty", "notes")
OUTDATED = "The module was released anew since this was graded: 'tito grade {number:02d}' grades it again."
GONE = "This was graded before; in submitted/ nothing of it is under this name any more."


@dataclass(frozen=True)
class Row:
    """One student and module.

    status: what became of the submission, `MISSING` without one.
    score:  what the gradebook says, None when there is no grade.
    notes:  what was put right, one sentence each.
    """

    student: str
    module: str
    status: Status
    score: Score | None
    notes: tuple[str, ...]

    @property
    def numbers(self) -> tuple[str, ...]:
        """Points, points possible so far, points that wait, days late, penalty: as text, "" where there is none."""
        if self.score is None or self.score.score is None:
            return ("",) * 5
        score = self.score
        return tuple(f"{n:g}" for n in (score.score, score.max_score, score.waits, score.late_days, score.penalty))

    @property
    def points(self) -> str:
        """The points in words, such as "40 of 55, 5 waits"; "-" without a grade."""
        points, possible, waits, *_ = self.numbers
        if not points:
            return "-"
        return f"{points} of {possible}" + (f", {waits} waits" if waits != "0" else "")


def grade_rows(course: Course, modules: Sequence[Module]) -> list[Row]:
    """Return a row for every student of the course, for each module, sorted by student.

    A student is who stands in nbgrader's student table or handed in anything.

    Raises:
        CourseError: the journal or the gradebook cannot be used.
    """
    scores = read_scores(course)
    entries = {(entry.student, entry.module): entry for entry in read_journal(course.state)}
    handed_in = {(student, module.folder) for module in modules for student in submitted_students(course, module)}
    named_else = {(student, m.folder): note for m in modules for student, note in misnamed(course, m).items()}
    releases = {module.folder: release_digest(course, module) for module in modules}
    rows = []
    for student in sorted({*enrolled_students(course), *all_students(course)}):
        for module in modules:
            place = (student, module.folder)
            entry, score = entries.get(place), scores.get(place)
            status = _status(entry, score, place in handed_in)
            notes = entry.shown_notes if entry else ()
            notes = (*notes, named_else[place]) if place in named_else else notes
            if entry and entry.release not in ("", releases[module.folder]):
                notes = (*notes, OUTDATED.format(number=module.number))
            if entry and place not in handed_in:
                notes = (*notes, GONE)
            rows.append(Row(student, module.folder, status, score if status.has_points else None, notes))
    return rows


def _status(entry: Entry | None, score: Score | None, handed_in: bool) -> Status:
    if entry:
        return entry.shown_status
    if score and score.score is not None:
        return Status.GRADED  # by nbgrader itself
    return Status.NOT_GRADED if handed_in else Status.MISSING


def csv_text(rows: Sequence[Row]) -> str:
    """Return the rows as CSV; a missing number is an empty field."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([safe(row.student), row.module, row.status, *row.numbers, safe(" ".join(row.notes))])
    return file.getvalue()


def safe(text: str) -> str:
    """A spreadsheet must not take a student's text for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t")) else text
