"""Whether gradebook and journal are whole and agree, and a new gradebook from the journal."""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from tito.course import Course
from tito.errors import CourseError
from tito.grading.by_hand import keep
from tito.grading.grade import grade_module
from tito.grading.gradebook import has_gradebook, is_file, open_gradebook, recorded_students
from tito.grading.journal import Entry, read_journal
from tito.grading.lock import alone
from tito.grading.work import Outcome, Plan, Task
from tito.registry import find_module
from tito.release.notebooks import register


def check(course: Course) -> list[str]:
    """Say what is damaged or missing, one sentence each; nothing when all is well."""
    found = [f"{path.name} is damaged: {fault}." for path in _databases(course) for fault in _faults(path)]
    return found or list(_missing(course))


def _databases(course: Course) -> list[Path]:
    paths = (course.state / "journal.db", course.gradebook)
    return [path for path in paths if path.is_file()]


def _faults(path: Path) -> list[str]:
    """What SQLite finds wrong in a database."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
        try:
            found = [str(row[0]) for row in database.execute("PRAGMA integrity_check(3)")]
        except sqlite3.DatabaseError as error:
            return [str(error)]
    return [] if found == ["ok"] else found


def _missing(course: Course) -> Iterator[str]:
    entries = [entry for entry in read_journal(course.state) if entry.recorded and entry.status.has_points]
    if entries and not has_gradebook(course):
        yield f"{course.gradebook.name} is missing."
        return
    for folder in sorted({entry.module for entry in entries}):
        with open_gradebook(course) as gradebook:
            known = recorded_students(gradebook, course, find_module(folder))
        lost = [entry.student for entry in entries if entry.module == folder and entry.student not in known]
        if lost:
            yield f"{len(lost)} submissions of {folder} were graded and are not recorded: {', '.join(lost[:5])}."


def rebuild(course: Course) -> Iterator[Entry]:
    """Make the gradebook anew from the journal and from what people had put in, running nothing; yield what it has.

    The old one is set aside. On a server the tables stay, and what is missing in them is put in.

    Raises:
        CourseError: the journal is damaged, or another command is at work.
    """
    folders = sorted({entry.module for entry in read_journal(course.state)})
    if not folders:
        raise CourseError("Nothing has been graded yet.", "Run 'tito grade' first.")
    modules = [find_module(folder) for folder in folders]
    with alone(course):
        _set_aside(course)
    register(course, modules)
    for module in modules:
        yield from grade_module(course, module, engine=_nothing)


def _nothing(plan: Plan, tasks: Iterable[Task]) -> Iterator[Outcome]:
    """Run no submission: those that are known are recorded on the way."""
    for _ in tasks:
        pass
    return iter(())


def _set_aside(course: Course) -> None:
    if not course.gradebook.is_file() or not is_file(course):
        return
    try:
        with open_gradebook(course) as gradebook:
            keep(course, gradebook)
    except CourseError:
        pass  # what was kept last is what there is
    number = 1
    while (aside := course.gradebook.with_name(f"{course.gradebook.name}.{number}")).exists():
        number += 1
    os.rename(course.gradebook, aside)
    for rest in ("-journal", "-wal", "-shm"):
        path = course.gradebook.with_name(course.gradebook.name + rest)
        if path.exists():
            os.rename(path, aside.with_name(aside.name + rest))
