"""What people put into the gradebook, kept beside the journal: points, comments, due dates, the roster.

A gradebook that was made anew gets it back. nbgrader gives each assignment an id of its own, which tells a new
gradebook from one in which somebody has taken points back.
"""

import json
from copy import deepcopy
from datetime import datetime
from pathlib import Path
from typing import Any

from nbgrader.api import Assignment, BaseCell, Comment, Grade, Gradebook, SubmittedAssignment, SubmittedNotebook
from sqlalchemy import or_

from tito.course import Course
from tito.errors import CourseError
from tito.files import write_atomic
from tito.grading.gradebook import gradebook_storage
from tito.grading.storage import storage
from tito.registry import Module

FACTS = ("first_name", "last_name", "email", "lms_user_id")
FIELDS = {Grade: "points", Comment: "comment"}
BY_HAND = {
    Grade: or_(Grade.manual_score.is_not(None), Grade.extra_credit.is_not(None)),
    Comment: Comment.manual_comment.is_not(None),
}
Kept = dict[str, Any]
EMPTY: Kept = {
    "students": {},  # id -> facts
    "due": {},  # module -> {"id": of the assignment, "date"}
    "marks": {},  # module -> student -> {"id": of the assignment, "cells": {name: {"points" or "comment": values}}}
}


def keep(course: Course, gradebook: Gradebook) -> None:
    """Store what people put into the gradebook; what was in one that is gone stays stored until it is put back.

    Raises:
        CourseError: the gradebook or the file cannot be used.
    """
    kept = _read(course)
    with gradebook_storage(course):
        for student in gradebook.students:
            facts = {name: value for name in FACTS if (value := getattr(student, name))}
            if facts:
                kept["students"][student.id] = facts
        for assignment in gradebook.assignments:
            _keep_due(kept["due"], assignment)
            _keep_marks(kept["marks"].setdefault(assignment.name, {}), gradebook, assignment)
        gradebook.db.remove()
    _write(course, kept)


def put_back(course: Course, module: Module, gradebook: Gradebook) -> None:
    """Give a gradebook that was made anew what is kept of a module, and keep it as that one's from then on.

    Raises:
        CourseError: the gradebook or the file cannot be used.
    """
    kept = _read(course)
    with gradebook_storage(course):
        assignment = gradebook.find_assignment(module.folder)
        due = kept["due"].get(module.folder)
        if due and due["id"] != assignment.id:
            if due["date"] and not assignment.duedate:
                assignment.duedate = datetime.fromisoformat(due["date"])
            for student, facts in kept["students"].items():
                gradebook.update_or_create_student(student, **facts)
        marks = kept["marks"].get(module.folder, {})
        lost = {student: one["cells"] for student, one in marks.items() if one["id"] != assignment.id}
        returned = set()
        if lost:
            rows = _rows(gradebook, assignment, dict.fromkeys(FIELDS, SubmittedAssignment.student_id.in_(lost)))
            for row, student, cell, field in rows:
                returned.add(student)
                for name, value in lost[student].get(cell, {}).get(field, {}).items():
                    setattr(row, name, value)
        gradebook.db.commit()
    kept["marks"][module.folder] = {student: one for student, one in marks.items() if student not in returned}
    kept["due"].pop(module.folder, None)
    _write(course, kept)
    keep(course, gradebook)


def _keep_due(kept: Kept, assignment: Assignment) -> None:
    if kept.get(assignment.name, {"id": assignment.id})["id"] == assignment.id:
        date = assignment.duedate.isoformat() if assignment.duedate else ""
        kept[assignment.name] = {"id": assignment.id, "date": date}


def _keep_marks(kept: Kept, gradebook: Gradebook, assignment: Assignment) -> None:
    gone = {student: one for student, one in kept.items() if one["id"] != assignment.id}
    kept.clear()
    for row, student, cell, field in _rows(gradebook, assignment, BY_HAND):
        values = _by_hand(row)
        if values and student not in gone:
            cells = kept.setdefault(student, {"id": assignment.id, "cells": {}})["cells"]
            cells.setdefault(cell, {})[field] = values
    kept |= gone


def _rows(gradebook: Gradebook, assignment: Assignment, wanted: dict[Any, Any]) -> list[tuple[Any, str, str, str]]:
    """Points and comments of an assignment that meet a condition: row, student, cell, and which of both it is."""
    found = []
    for kind, field in FIELDS.items():
        rows = gradebook.db.query(kind, SubmittedAssignment.student_id, BaseCell.name)
        rows = rows.join(kind.cell).join(kind.notebook).join(SubmittedNotebook.assignment)
        rows = rows.filter(SubmittedAssignment.assignment_id == assignment.id, wanted[kind])
        found += [(*row, field) for row in rows]
    return found


def _by_hand(row: Grade | Comment) -> Kept:
    if isinstance(row, Comment):
        return {"manual_comment": row.manual_comment} if row.manual_comment else {}
    if row.manual_score is None and row.extra_credit is None:
        return {}
    names = ("manual_score", "extra_credit", "needs_manual_grade")
    return {name: getattr(row, name) for name in names}


def _file(course: Course) -> Path:
    return course.state / "by_hand.json"


def _write(course: Course, kept: Kept) -> None:
    with storage(course.shown(_file(course))):
        write_atomic(_file(course), json.dumps(kept, indent=1, sort_keys=True, ensure_ascii=False))


def _read(course: Course) -> Kept:
    try:
        kept: Kept = json.loads(_file(course).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return deepcopy(EMPTY)
    except ValueError as error:
        file = course.shown(_file(course))
        raise CourseError(f"{file} is damaged.", "Move it away: it is made again from the gradebook.") from error
    return kept
