"""The student's own notebooks."""

from pathlib import Path

from tito.course import Course
from tito.errors import CourseError
from tito.files import write_atomic
from tito.registry import MODULES, Module


def require_released(course: Course, module: Module) -> Path:
    """Return the released notebook's path.

    Raises:
        CourseError: this course or kit has no such notebook.
    """
    path = course.released(module)
    if path.is_file():
        return path
    there = ", ".join(m.folder for m in MODULES if course.released(m).is_file())
    cure = f"There is: {there}." if there else "Instructors make the notebooks with: tito build, then tito release."
    raise CourseError(f"The notebook of {module.folder} is not here.", cure)


def start(course: Course, module: Module) -> tuple[Path, bool]:
    """Put a fresh notebook into `work/` unless there is one already, which is never touched.

    Returns:
        The path of the student's notebook, and whether it is new.
    """
    released = require_released(course, module)
    path = course.work(module)
    if path.exists():
        return path, False
    write_atomic(path, released.read_bytes())
    return path, True
