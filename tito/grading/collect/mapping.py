"""The instructor's own list of whose a file is: `tito collect INBOX --map FILE.csv`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from tito.errors import CourseError
from tito.grading.roster import Student, read_rows, safe_id
from tito.registry import Module, find_module


@dataclass(frozen=True)
class Target:
    """Where a file belongs; the module is None when the file's name says it."""

    student: str
    module: Module | None


@dataclass
class Mapping:
    """Names and patterns of files, folders or zips, each with the student; a plain name goes before a pattern."""

    names: dict[str, Target] = field(default_factory=dict)
    patterns: list[tuple[str, Target]] = field(default_factory=list)

    def find(self, label: str, parts: tuple[str, ...]) -> Target | None:
        """Return where a file belongs by its label, its path, its own name or that of a folder or zip around it."""
        names = (label, "/".join(parts), *reversed(parts))
        found = next((self.names[name] for name in names if name in self.names), None)
        if found:
            return found
        return next((target for pattern, target in self.patterns if any(fnmatchcase(n, pattern) for n in names)), None)


def read_map(path: Path, students: Sequence[Student]) -> Mapping:
    """Return what a CSV file says: file or pattern, student, and optionally the module.

    Raises:
        CourseError: it cannot be read, or a line lacks something or names nobody on the roster.
    """
    try:
        rows = read_rows(path.read_bytes())
    except OSError as error:
        raise CourseError(f"{path} cannot be read ({error.strerror}).", "Check the name.") from None
    known = {safe_id(student.id).casefold(): student.id for student in students}
    mapping = Mapping()
    for number, (line, row) in enumerate(rows):
        pattern, student, module = ([cell.strip() for cell in row] + ["", "", ""])[:3]
        if number == 0 and student.lower() == "student":
            continue
        if not pattern or not student:
            raise CourseError(f"Line {line} of {path} lacks a file or a student.", "Write: file or pattern, student.")
        owner = known.get(safe_id(student).casefold()) if students else student
        if owner is None:
            raise CourseError(f"Line {line} of {path}: '{student}' is not on the roster.", "See: tito roster list")
        if safe_id(owner) != owner:
            raise CourseError(f"Line {line} of {path}: '{owner}' cannot name a folder.", f"Write '{safe_id(owner)}'.")
        target = Target(owner, find_module(module) if module else None)
        if any(c in pattern for c in "*?["):
            mapping.patterns.append((pattern, target))
        mapping.names.setdefault(pattern, target)
    return mapping
