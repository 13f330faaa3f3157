"""What has been graded already, kept so that a kill at any moment loses and repeats nothing.

A submission's executed notebook is committed here first, then written to the gradebook, then marked as recorded. A kill
before the first commit leaves nothing; a kill after it leaves work that the next run finishes without running any code.
Notebooks are read one by one: a class of them does not fit into memory.
"""

import json
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from tito.errors import CourseError
from tito.grading.status import Status
from tito.grading.storage import storage
from tito.printable import printable

TABLE = """
CREATE TABLE IF NOT EXISTS submission (
    module TEXT NOT NULL,
    student TEXT NOT NULL,
    key TEXT NOT NULL,
    status TEXT NOT NULL,
    notes TEXT NOT NULL,
    notebook BLOB NOT NULL,
    recorded INTEGER NOT NULL,
    trouble TEXT NOT NULL DEFAULT '',
    release TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (module, student)
)
"""
COLUMNS = "module, student, key, status, notes, recorded, trouble, release"
LATER = ("trouble", "release")  # columns that a journal of an earlier version has not
INSTEAD = "Move it away: the next 'tito grade' runs every submission again; points given by hand stay in the gradebook."


@dataclass(frozen=True)
class Entry:
    """One graded submission; its executed notebook stays in the journal.

    module, student: whose it is; `module` is the folder name.
    key:      hash of everything that the result depends on.
    status:   how grading went.
    notes:    repairs and remarks, one sentence each, fit to be printed whatever a notebook says of itself.
    recorded: whether the gradebook has it.
    trouble:  why the gradebook could not take it, "" when nothing is known against it.
    release:  hash of the module's notebooks by which it was graded.
    """

    module: str
    student: str
    key: str
    status: Status
    notes: tuple[str, ...]
    recorded: bool = False
    trouble: str = ""
    release: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "notes", tuple(map(printable, self.notes)))
        object.__setattr__(self, "trouble", printable(self.trouble))

    @property
    def shown_status(self) -> Status:
        """What the report says."""
        return self.status if self.recorded or not self.status.has_points else Status.NOT_RECORDED

    @property
    def shown_notes(self) -> tuple[str, ...]:
        """All that there is to say."""
        return (*self.notes, self.trouble) if self.trouble else self.notes


class Journal:
    """The table of graded submissions.

    Raises:
        CourseError: the journal cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        with _explained():
            folder.mkdir(parents=True, exist_ok=True)
            self._database = _open(folder)

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._database.close()

    def find(self, module: str, student: str) -> Entry | None:
        """Return the last grading of a submission, if there was one."""
        with _explained():
            return next(_select(self._database, "WHERE module = ? AND student = ?", (module, student)), None)

    def notebook(self, entry: Entry) -> str:
        """Return the executed notebook of an entry as JSON text."""
        with _explained():
            return _notebook(self._database, entry)

    def put(self, entry: Entry, notebook: str) -> None:
        """Store a grading, replacing an older one of the same student and module."""
        packed = zlib.compress(notebook.encode(), level=3)
        row = (entry.module, entry.student, entry.key, entry.status, json.dumps(entry.notes), packed, entry.release)
        with _explained(), self._database:
            self._database.execute("INSERT OR REPLACE INTO submission VALUES (?, ?, ?, ?, ?, ?, 0, '', ?)", row)

    def mark(self, entry: Entry) -> None:
        """Store whether the gradebook has the grading, or why not."""
        row = (entry.recorded, entry.trouble, entry.module, entry.student, entry.key)
        with _explained(), self._database:
            self._database.execute(
                "UPDATE submission SET recorded = ?, trouble = ? WHERE module = ? AND student = ? AND key = ?", row
            )


def read_journal(folder: Path) -> list[Entry]:
    """Return all gradings, sorted by module and student; empty before the first run.

    Raises:
        CourseError: the journal cannot be used.
    """
    if not (folder / "journal.db").is_file():
        return []
    with _explained(), closing(_open(folder)) as database:
        return list(_select(database, "ORDER BY module, student", ()))


def read_notebook(folder: Path, entry: Entry) -> str:
    """Return the executed notebook of an entry as JSON text.

    Raises:
        CourseError: the journal cannot be used.
    """
    with _explained(), closing(_open(folder)) as database:
        return _notebook(database, entry)


@contextmanager
def _explained() -> Iterator[None]:
    file = ".tito/journal.db"
    try:
        with storage(file, INSTEAD):
            yield
    except (ValueError, zlib.error) as error:  # rows that we did not write
        raise CourseError(f"{file} is damaged.", INSTEAD) from error


def _open(folder: Path) -> sqlite3.Connection:
    database = sqlite3.connect(folder / "journal.db", timeout=30)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute(TABLE)
    columns = {row[1] for row in database.execute("PRAGMA table_info(submission)")}
    for name in LATER:
        if name not in columns:
            database.execute(f"ALTER TABLE submission ADD COLUMN {name} TEXT NOT NULL DEFAULT ''")
    database.commit()
    return database


def _select(database: sqlite3.Connection, condition: str, values: tuple[str, ...]) -> Iterator[Entry]:
    for row in database.execute(f"SELECT {COLUMNS} FROM submission {condition}", values):
        module, student, key, status, notes, recorded, *rest = row
        yield Entry(module, student, key, Status(status), tuple(json.loads(notes)), bool(recorded), *rest)


def _notebook(database: sqlite3.Connection, entry: Entry) -> str:
    where = "WHERE module = ? AND student = ?"
    rows = database.execute(f"SELECT notebook FROM submission {where}", (entry.module, entry.student))
    return zlib.decompress(next(rows)[0]).decode()
