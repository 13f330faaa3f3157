"""One command at a time: collecting, grading and releasing would clear each other's working folders."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

from tito.course import Course
from tito.errors import CourseError
from tito.files import remove_unfinished
from tito.grading.storage import storage

NAME = "lock"


@contextmanager
def alone(course: Course) -> Iterator[None]:
    """Hold the course's lock, and remove the files that a killed command was about to write.

    The system frees the lock when the process ends, however it ends.

    Raises:
        CourseError: another command holds it, or .tito/ cannot be written.
    """
    with storage(f"{course.state.name}/"):
        course.state.mkdir(parents=True, exist_ok=True)
        lock = sqlite3.connect(course.state / NAME, timeout=0, isolation_level=None)
    with closing(lock):
        try:
            with storage(f"{course.state.name}/{NAME}"):
                lock.execute("BEGIN EXCLUSIVE")
        except CourseError as refusal:
            if getattr(refusal.__cause__, "sqlite_errorname", "") != "SQLITE_BUSY":
                raise
            problem = "Another 'tito collect', 'tito grade' or 'tito release' is running in this course."
            raise CourseError(problem, "Wait until it is done.") from None
        for folder in (course.state, course.autograded):
            remove_unfinished(folder)
        yield
