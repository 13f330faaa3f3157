"""The student's own notebooks."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tito.course import Course
from tito.engine.normalise import Normalised, normalise
from tito.engine.reading import Unreadable, parse_submission, read_bytes
from tito.engine.skeleton import Skeleton, Slot, load_skeleton
from tito.errors import CourseError
from tito.files import write_atomic
from tito.registry import MODULES, Module
from tito.student.unwritten import is_blank


@dataclass(frozen=True)
class Work:
    """A student's notebook as check, export and grading take it: the answers in it, laid onto the released one.

    path:   where it is.
    data:   its bytes.
    normal: the released notebook with its answers.
    notes:  what had to be put right and what the student should know, one sentence each.
    """

    module: Module
    path: Path
    data: bytes
    skeleton: Skeleton
    normal: Normalised
    notes: tuple[str, ...]

    @property
    def answers(self) -> list[Slot]:
        """The answer cells that hold code."""
        return [slot for slot in self.skeleton.slots if slot.answer and slot.kind == "code"]

    @property
    def unwritten(self) -> list[str]:
        """The names of the code answers that are not written yet."""
        return [slot.grade_id for slot in self.answers if slot.unwritten(self.text(slot))]

    def text(self, slot: Slot) -> str:
        """What the student wrote into a cell."""
        return str(self.normal.notebook.cells[slot.index].source)


def read_work(course: Course, module: Module, notebook: Path | None = None) -> Work:
    """Read the notebook in `work/`, or another one.

    Raises:
        CourseError: the module is not here, not started, or the notebook cannot be read.
    """
    skeleton = load_skeleton(require_released(course, module))
    path, notes = (notebook, []) if notebook else find_work(course, module)
    start = f"'tito start {module.number:02d}'"
    if path is None:
        raise CourseError(f"You have not started {module.folder} yet.", f"Run {start} first.")
    if not path.exists():
        raise CourseError(f"{path} does not exist.", "Check the name and the folder you are in.")
    try:
        data = read_bytes(path)
        normal = normalise(parse_submission(data), skeleton)
    except Unreadable as reason:
        cure = f"Move it away and run {start}, then paste your answers into the fresh notebook."
        if not os.access(path, os.R_OK):
            cure = "Give yourself the right to read it, then try again."
        raise CourseError(f"{course.shown(path)} cannot be read: {reason}.", cure) from None
    return Work(module, path, data, skeleton, normal, (*notes, *normal.repairs, *normal.remarks))


def find_work(course: Course, module: Module) -> tuple[Path | None, list[str]]:
    """Return the student's notebook of a module, also a renamed one; None when there is none.

    Returns:
        The path, and notes when it has another name or when it is not alone.

    Raises:
        CourseError: there are several, and none has the released name.
    """
    path = course.work(module)
    others = [other for other in work_notebooks(course, module) if other != path]
    names = ", ".join(f"'{other.name}'" for other in others)
    if path.exists():
        return path, [f"'{path.name}' is read; beside it lies, and is not read: {names}."] if others else []
    if len(others) > 1:
        problem = f"{course.shown(path.parent)} has several notebooks and none is called '{path.name}': {names}."
        raise CourseError(problem, f"Rename the one that counts to '{path.name}'.")
    notes = [f"Your notebook is '{other.name}' here; hand it in as '{path.name}'." for other in others]
    return (others[0] if others else None), notes


def work_notebooks(course: Course, module: Module) -> list[Path]:
    """Return every notebook in the module's folder in `work/`, by name."""
    found = course.work(module).parent.glob("*.ipynb")
    return sorted(path for path in found if not path.name.startswith("."))


def written_modules(course: Course) -> list[Module]:
    """Return the modules that somebody has written: teaching sources, or in a kit the notebooks in `work/`."""
    if course.is_kit:
        return [module for module in MODULES if work_notebooks(course, module)]
    return [module for module in MODULES if course.teaching_source(module).is_file()]


def require_released(course: Course, module: Module) -> Path:
    """Return the released notebook's path.

    Raises:
        CourseError: this course or kit has no such notebook.
    """
    path = course.released(module)
    if path.is_file():
        return path
    there = ", ".join(m.folder for m in MODULES if course.released(m).is_file())
    cure = f"There is: {there}." if there else no_releases(course)
    raise CourseError(f"The notebook of {module.folder} is not here.", cure)


def no_releases(course: Course) -> str:
    """The next step where no notebook has been released."""
    if course.is_kit:
        return "Unzip the kit again, and copy its folder 'release' to here."
    return "Instructors make the notebooks with: tito build, then tito release."


def require_needs(course: Course, module: Module, coming: Sequence[Module] = ()) -> None:
    """Check that the package has every module that this one imports, not blank; those in `coming` count as there.

    Raises:
        CourseError: names those that are missing, or the first that is blank, and the first command to run.
    """
    needed = [earlier for earlier in MODULES if earlier.number in module.needs and earlier not in coming]
    missing = [f"{earlier.number:02d}" for earlier in needed if not course.exported(earlier).is_file()]
    if missing:
        named = " and ".join([", ".join(missing[:-1]), missing[-1]] if missing[1:] else missing)
        problem = f"Module {module.number:02d} uses {named}, which your package does not have yet."
        raise CourseError(problem, f"tito export {missing[0]}")
    for earlier in needed:
        if is_blank(course, earlier):
            number = f"{earlier.number:02d}"
            problem = f"Module {module.number:02d} uses {number}, which is blank in your package."
            raise CourseError(problem, f"Write its answers, then: tito export {number}")


def start(course: Course, module: Module) -> tuple[Path, bool]:
    """Put a fresh notebook into `work/` unless there is one already, which is never touched.

    Returns:
        The path of the student's notebook, and whether it is new.

    Raises:
        CourseError: this course or kit has no such notebook, or there are several in `work/`.
    """
    released = require_released(course, module)
    path, _ = find_work(course, module)
    if path:
        return path, False
    write_atomic(course.work(module), released.read_bytes())
    return course.work(module), True
