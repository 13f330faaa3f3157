"""The last check's result, kept for `tito status` as long as nothing that it depends on has changed."""

import hashlib
import json
from pathlib import Path

from tito.course import Course
from tito.files import write_atomic
from tito.registry import MODULES
from tito.student.check import Checked
from tito.student.work import Work


def result_key(course: Course, work: Work) -> str:
    """Return a hash of what a check depends on: notebook, release, and the parts of the package that it imports."""
    digest = hashlib.sha256(work.data)
    used = [course.exported(module) for module in MODULES if module.number in work.module.needs]
    for path in (course.released(work.module), *used):
        content = path.read_bytes() if path.is_file() else b"none"
        digest.update(f"{len(content)}\n".encode() + content)
    return digest.hexdigest()


def keep_result(course: Course, work: Work, result: Checked) -> None:
    """Remember a check's result.

    Raises:
        OSError: the course's folder cannot be written.
    """
    facts = {"key": result_key(course, work), "passed": result.passed, "tests": len(result.tests)}
    write_atomic(_path(course, work), json.dumps(facts) + "\n")


def last_result(course: Course, work: Work) -> str:
    """Return "9 of 9", "stale" when something has changed since, or "-" when the module was never checked."""
    try:
        facts = json.loads(_path(course, work).read_text(encoding="utf-8"))
        shown, key = f"{facts['passed']} of {facts['tests']}", facts["key"]
    except (OSError, ValueError, KeyError, TypeError):
        return "-"
    return shown if key == result_key(course, work) else "stale"


def _path(course: Course, work: Work) -> Path:
    return course.state / "checks" / f"{work.module.folder}.json"
