"""One command at a time: collecting, grading and releasing would clear each other's working folders."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tito.course import Course
from tito.errors import CourseError
from tito.files import remove_unfinished
from tito.grading.storage import storage

NAME = "lock"


@contextmanager
def alone(course: Course) -> Iterator[None]:
    """Hold the course's lock, and remove the files that a killed command was about to write.

    Raises:
        CourseError: another command holds it, or .tito/ cannot be written.
    """
    problem = "Another 'tito collect', 'tito grade' or 'tito release' is running in this course."
    with hold(course.state, problem):
        for folder in (course.state, course.autograded):
            remove_unfinished(folder)
        yield


@contextmanager
def hold(folder: Path, problem: str) -> Iterator[None]:
    """Hold the lock of a folder; the system frees it when the process ends, however it ends.

    Raises:
        CourseError: another process holds it, which is the `problem`, or the folder cannot be written.
    """
    with storage(f"{folder.name}/"):
        folder.mkdir(parents=True, exist_ok=True)
        lock = sqlite3.connect(folder / NAME, timeout=0, isolation_level=None)
    with closing(lock):
        try:
            with storage(f"{folder.name}/{NAME}"):
                lock.execute("BEGIN EXCLUSIVE")
        except CourseError as refusal:
            if getattr(refusal.__cause__, "sqlite_errorname", "") != "SQLITE_BUSY":
                raise
            raise CourseError(problem, "Wait until it is done.") from None
        yield
