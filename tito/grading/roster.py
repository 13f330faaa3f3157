"""Who is in the course: nbgrader's own student table, and the files it is filled from."""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tito.course import Course
from tito.errors import CourseError
from tito.grading.gradebook import has_gradebook, open_gradebook

# Column names as letters and digits, the best first: plain files, and exports of Canvas, Moodle and Blackboard.
ID = ("sisloginid", "loginid", "username", "netid", "id", "studentid", "student", "idnumber", "sisuserid")
FIRST = ("firstname", "givenname", "forename")
LAST = ("lastname", "surname", "familyname")
FULL = ("fullname", "name", "studentname")
EMAIL = ("email", "emailaddress", "mail")
LMS = ("lmsuserid", "canvasuserid", "canvasid")
CANVAS = {"student", "id", "section"}  # of its gradebook; there "Student" is the name and "ID" Canvas's own number
NOBODY = re.compile(r"\s*points possible\s*|student, test|test student", re.IGNORECASE)  # rows of Canvas's gradebook
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
LONGEST = 100  # letters of an id; nbgrader's table has 128, a folder's name 255 bytes


@dataclass(frozen=True)
class Student:
    """A row of the student table; `id` is also the name of the student's folder."""

    id: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    lms_user_id: str = ""

    @property
    def is_described(self) -> bool:
        """Whether more than the id is known."""
        return bool(self.first_name or self.last_name or self.email or self.lms_user_id)


@dataclass
class RosterFile:
    """What a file says: its students, and a sentence for every line that was changed or left out."""

    students: list[Student] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Imported:
    """How many students an import found new, found changed, and found as they were."""

    new: int
    changed: int
    same: int


def safe_id(text: str) -> str:
    """Return an id as it can name a folder on every system; most ids are that already."""
    name = unicodedata.normalize("NFC", text).strip()
    name = "".join("-" if c in '<>:"/\\|?*[]' or not c.isprintable() else c for c in name)
    name = name[:LONGEST].rstrip(". ")
    name = f"_{name[1:]}" if name[:1] in (".", "-") else name
    return f"{name}_" if RESERVED.fullmatch(name) else name


def all_students(course: Course) -> list[Student]:
    """Return everyone in the gradebook, by id."""
    if not has_gradebook(course):
        return []
    with open_gradebook(course) as gradebook:
        rows = [
            Student(row.id, *(value or "" for value in (row.first_name, row.last_name, row.email, row.lms_user_id)))
            for row in gradebook.students
        ]
    return sorted(rows, key=lambda row: row.id)


def read_roster(course: Course) -> list[Student]:
    """Return the students that hand-ins may belong to; nobody when there is no roster.

    Grading adds whoever handed in, and those alone are no roster: there is one when somebody is known by more than an
    id, or has not handed in anything.
    """
    students = all_students(course)
    if any(student.is_described or not (course.submitted / student.id).is_dir() for student in students):
        return students
    return []


def import_roster(course: Course, students: Iterable[Student]) -> Imported:
    """Write students into the gradebook; what the file leaves empty stays as it was, and nobody is removed."""
    fresh = changed = same = 0
    with open_gradebook(course) as gradebook:
        known = {row.id: row for row in gradebook.students}
        for student in students:
            row = known.get(student.id)
            said = {name: value for name, value in vars(student).items() if value and name != "id"}
            if row is not None and all(getattr(row, name) == value for name, value in said.items()):
                same += 1
                continue
            gradebook.update_or_create_student(student.id, **said)
            fresh, changed = (fresh + 1, changed) if row is None else (fresh, changed + 1)
    return Imported(fresh, changed, same)


def read_file(path: Path) -> RosterFile:
    """Return the students in a CSV file.

    Raises:
        CourseError: it cannot be read, or no column names the students.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CourseError(f"{path} cannot be read ({error.strerror}).", "Check the name.") from None
    rows = read_rows(data)
    header = [_word(cell) for cell in rows[0][1]] if rows else []
    columns = _columns(header, [row for _, row in rows[1:]])
    if "id" not in columns:
        raise CourseError(
            f"No column of {path} names the students.",
            "Its first line must have a column such as id, student, username, SIS Login ID or email.",
        )
    found = RosterFile()
    lines: dict[str, int] = {}
    for line, row in rows[1:]:
        cells = {name: row[place].strip() for name, place in columns.items() if place < len(row)}
        _add(found, lines, line, cells)
    return found


def read_rows(data: bytes) -> list[tuple[int, list[str]]]:
    """Return the lines of a CSV file that are not empty, with their numbers, whatever program saved it."""
    text = _decode(data)
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    return [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]


def _add(found: RosterFile, lines: dict[str, int], line: int, cells: dict[str, str]) -> None:
    """Add one row to `found`, or say why not."""
    first, last = cells.get("first", ""), cells.get("last", "")
    full = cells.get("full", "")
    if NOBODY.fullmatch(full):
        return
    if full and not (first or last):
        first, last = _split(full)
    if not cells.get("id"):
        found.notes.append(f"Line {line} has no id and was left out.")
        return
    student = Student(safe_id(cells["id"]), first, last, cells.get("email", ""), cells.get("lms", ""))
    if not student.id:
        found.notes.append(f"Line {line}: {cells['id']!r} cannot name a folder and was left out.")
        return
    if student.id != cells["id"]:
        found.notes.append(f"Line {line}: {cells['id']!r} cannot name a folder; the id is {student.id!r}.")
    before = lines.setdefault(student.id.casefold(), line)
    if before != line:
        found.notes.append(f"Line {line}: {student.id!r} is in line {before} already and was left out.")
        return
    found.students.append(student)


def _columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, int]:
    """Return which column holds what; an id's column must have something in it."""
    names = {"first": FIRST, "last": LAST, "full": FULL, "email": EMAIL, "lms": LMS, "id": (*ID, *EMAIL)}
    if set(header) >= CANVAS:
        names |= {"full": ("student",), "lms": ("id",), "id": ("sisloginid", "sisuserid", "email", "id")}
    filled = {place for row in rows for place, cell in enumerate(row) if cell.strip()}
    columns = {}
    for what, words in names.items():
        places = [header.index(word) for word in words if word in header]
        if found := [place for place in places if place in filled]:
            columns[what] = found[0]
    return columns


def _split(full: str) -> tuple[str, str]:
    """First and last name of "Doe, Jane" or "Jane Doe"."""
    if "," in full:
        last, _, first = full.partition(",")
    else:
        first, _, last = full.rpartition(" ")
    return first.strip(), last.strip()


def _word(cell: str) -> str:
    return "".join(c for c in cell.casefold() if c.isalnum())


def _decode(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")  # what spreadsheets on Windows save
