"""What a database or the disk refuses, in one sentence about the file and one on what to do."""

import errno
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nbgrader.api import InvalidEntry
from sqlalchemy.exc import DBAPIError, OperationalError

from tito.errors import CourseError

AGAIN = "run the command again; what is done already stays done."
FULL = ("{file} could not be written: the disk is full.", f"Free some space and {AGAIN}")
REFUSED = ("{file} cannot be written.", f"Allow writing to the file and to its folder, and {AGAIN}")
IN_USE = ("{file} is in use by another program.", f"Close that program (Formgrader, a database viewer) and {AGAIN}")
DAMAGED = ("{file} is damaged.", "{instead}")
SERVER = (
    "The gradebook's database cannot be used ({reason}).",
    f"Start its server, or put c.CourseDirectory.db_url in nbgrader_config.py right, and {AGAIN}",
)
BY_DATABASE = {
    "SQLITE_FULL": FULL,
    "SQLITE_READONLY": REFUSED,
    "SQLITE_CANTOPEN": REFUSED,
    "SQLITE_PERM": REFUSED,
    "SQLITE_BUSY": IN_USE,
    "SQLITE_LOCKED": IN_USE,
    "SQLITE_NOTADB": DAMAGED,
    "SQLITE_CORRUPT": DAMAGED,
    "SQLITE_ERROR": ("{file} has not the tables that belong there ({reason}).", "{instead}"),
}
BY_SYSTEM = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EROFS: REFUSED,
    errno.EACCES: REFUSED,
    errno.EPERM: REFUSED,
}
NOT_STORAGE = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError, sqlite3.ProgrammingError)
NO_ROOM = re.compile(
    "|".join([os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT), "database or disk is full"]), re.IGNORECASE
)
TEMPORARY = re.compile(r"^\.(.+)\.\w+\.tmp$")  # what `write_atomic` calls a file at first


@contextmanager
def storage(file: str, instead: str = "Put back a copy of it.") -> Iterator[None]:
    """Turn what storage refuses into a `CourseError`; every other exception passes.

    Args:
        file: the database that is used inside, as the course names it.
        instead: what to do when it is damaged.
    """
    try:
        yield
    except (sqlite3.Error, DBAPIError, InvalidEntry) as error:
        if isinstance(error, OperationalError) and not isinstance(error.orig, sqlite3.Error):
            raise _said(*SERVER, file, instead, str(error.orig).partition("\n")[0].rstrip(".")) from error
        cause = _of_sqlite(error)
        if cause is None or isinstance(cause, NOT_STORAGE):
            raise
        code = getattr(cause, "sqlite_errorname", "")
        known = next((text for name, text in BY_DATABASE.items() if code.startswith(name)), None)
        problem, cure = known or ("{file} cannot be used ({reason}).", f"Look at the file and {AGAIN}")
        raise _said(problem, cure, file, instead, str(cause)) from error
    except OSError as error:
        problem, cure = BY_SYSTEM.get(error.errno or 0, ("{file}: {reason}.", f"Look at the file and {AGAIN}"))
        name = TEMPORARY.sub(r"\1", Path(error.filename).name) if error.filename else file
        raise _said(problem, cure, name, instead, error.strerror or str(error)) from error


@contextmanager
def room(file: str) -> Iterator[None]:
    """Say that the disk is full where other programs' errors hide the system's; every other exception passes.

    Args:
        file: what is written inside, as the course names it.

    Raises:
        CourseError: the disk is full.
    """
    try:
        yield
    except Exception as error:
        if not NO_ROOM.search(str(error)):
            raise
        raise _said(*FULL, file, "", "") from error


def _of_sqlite(error: BaseException | None) -> sqlite3.Error | None:
    """The database's own error inside those that SQLAlchemy and nbgrader wrap it into."""
    if isinstance(error, InvalidEntry):
        error = error.__context__
    if isinstance(error, DBAPIError):
        error = error.orig
    return error if isinstance(error, sqlite3.Error) else None


def _said(problem: str, cure: str, file: str, instead: str, reason: str) -> CourseError:
    words = {"file": file, "instead": instead, "reason": reason}
    return CourseError(problem.format(**words), cure.format(**words))
