"""What has been graded already, kept so that a kill at any moment loses and repeats nothing.

A submission's executed notebook is committed here first, then written to the gradebook, then marked as recorded. A kill
before the first commit leaves nothing; a kill after it leaves work that the next run finishes without running any code.
"""

import json
import sqlite3
import zlib
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from tito.errors import CourseError

TABLE = """
CREATE TABLE IF NOT EXISTS submission (
    module TEXT NOT NULL,
    student TEXT NOT NULL,
    key TEXT NOT NULL,
    status TEXT NOT NULL,
    notes TEXT NOT NULL,
    notebook BLOB NOT NULL,
    recorded INTEGER NOT NULL,
    PRIMARY KEY (module, student)
)
"""


@dataclass(frozen=True)
class Entry:
    """One graded submission.

    module, student: whose it is; `module` is the folder name.
    key:      hash of everything that the result depends on.
    status:   "graded", "repaired", "timed out", "crashed" or "unreadable".
    notes:    repairs and remarks, one sentence each.
    notebook: the executed notebook as JSON text, "" when unreadable.
    recorded: whether the gradebook has it.
    """

    module: str
    student: str
    key: str
    status: str
    notes: tuple[str, ...]
    notebook: str
    recorded: bool


class Journal:
    """The table of graded submissions; only one process may grade at a time.

    Raises:
        CourseError: another process is grading in this course.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = sqlite3.connect(folder / "grading.lock", timeout=0, isolation_level=None)
        try:
            self._lock.execute("BEGIN EXCLUSIVE")  # the system frees it when the process dies, however it dies
        except sqlite3.OperationalError:
            self._lock.close()
            raise CourseError("Another 'tito grade' is running in this course.", "Wait until it is done.") from None
        self._database = _open(folder)

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._database.close()
        self._lock.close()

    def find(self, module: str, student: str) -> Entry | None:
        """Return the last grading of a submission, if there was one."""
        entries = _select(self._database, "WHERE module = ? AND student = ?", (module, student))
        return entries[0] if entries else None

    def put(self, entry: Entry) -> None:
        """Store a grading, replacing an older one of the same student and module."""
        notebook = zlib.compress(entry.notebook.encode())
        row = (entry.module, entry.student, entry.key, entry.status, json.dumps(entry.notes), notebook, entry.recorded)
        with self._database:
            self._database.execute("INSERT OR REPLACE INTO submission VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def mark_recorded(self, entry: Entry) -> None:
        """Note that the gradebook has the grading."""
        where = (entry.module, entry.student, entry.key)
        with self._database:
            self._database.execute(
                "UPDATE submission SET recorded = 1 WHERE module = ? AND student = ? AND key = ?", where
            )


def read_journal(folder: Path) -> list[Entry]:
    """Return all gradings, sorted by module and student; empty before the first run."""
    if not (folder / "journal.db").is_file():
        return []
    database = _open(folder)
    try:
        return _select(database, "ORDER BY module, student", ())
    finally:
        database.close()


def _open(folder: Path) -> sqlite3.Connection:
    database = sqlite3.connect(folder / "journal.db", timeout=30)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute(TABLE)
    database.commit()
    return database


def _select(database: sqlite3.Connection, condition: str, values: tuple[str, ...]) -> list[Entry]:
    rows = database.execute(
        f"SELECT module, student, key, status, notes, notebook, recorded FROM submission {condition}", values
    )
    return [
        Entry(
            module, student, key, status, tuple(json.loads(notes)), zlib.decompress(notebook).decode(), bool(recorded)
        )
        for module, student, key, status, notes, notebook, recorded in rows
    ]
