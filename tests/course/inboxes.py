"""What instructors find in their inbox, made small; and a class on the roster."""

import os
import zipfile
from pathlib import Path

from tito.course import Course
from tito.grading.roster import Student, import_roster

CLASS = (
    Student("ada", "Ada", "Lovelace", "ada@example.org", "101"),
    Student("ben", "Ben", "O'Brien", "ben@example.org", "102"),
    Student("jdoe", "Jane", "Doe", "jane.doe@example.org", "12345"),
    Student("j_roe", "José", "Roe", "jose@example.org", "104"),
    Student("lilei@example.org", "雷", "李", "lilei@example.org", "105"),
    Student("mas", "Mary Ann", "Smith-Jones", "mas@example.org", "106"),
    Student("max1", "Max", "Mustermann", "max1@example.org", "107"),
    Student("max2", "Max", "Mustermann", "max2@example.org", "108"),
)


def make_course(root: Path) -> Course:
    """A folder that `tito` takes for a course."""
    root.mkdir(exist_ok=True)
    for name in ("nbgrader_config.py", "pyproject.toml"):
        (root / name).touch()
    (root / "modules").mkdir()
    return Course(root)


def make_rostered(root: Path) -> Course:
    """The same with `CLASS` in the gradebook."""
    course = make_course(root)
    import_roster(course, CLASS)
    return course


def put(folder: Path, name: str, text: str | bytes = "{}", time: float = 1_700_000_000) -> Path:
    """Write a file that was last changed at `time`."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    os.utime(path, (time, time))
    return path


def make_zip(path: Path, files: dict[str, str | bytes], date: tuple[int, ...] = (2026, 10, 1, 12, 0, 0)) -> Path:
    """Write a zip whose entries all have the same date."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, date), text)
    return path


def content(course: Course, student: str, module: str = "01_tensor") -> str:
    """What is handed in now."""
    return (course.submitted / student / module / f"{module[3:]}.ipynb").read_text()


def stamp(course: Course, student: str, module: str = "01_tensor") -> str:
    """When, as nbgrader reads it."""
    return (course.submitted / student / module / "timestamp.txt").read_text()


def earlier(course: Course, student: str, module: str = "01_tensor") -> list[str]:
    """What was handed in before, the oldest first."""
    return [path.read_text() for path in sorted((course.history / student / module).glob("*"))]


def snapshot(course: Course) -> dict[str, tuple[bytes, int]]:
    """Every file under `submitted/` with its content and the moment of its last change."""
    files = (path for path in course.submitted.rglob("*") if path.is_file())
    return {str(path.relative_to(course.root)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}
