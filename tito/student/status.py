"""How far each module is, read from the files themselves."""

from dataclasses import dataclass
from typing import Literal

from tito.course import Course
from tito.errors import CourseError
from tito.registry import MODULES, Module
from tito.student.export import Exported, exported_state
from tito.student.results import last_result
from tito.student.work import Work, find_work, read_work


@dataclass(frozen=True)
class Progress:
    """One module of a student; "-" where there is nothing to say.

    state:    "not started", "started" or "unreadable".
    answered: "3 of 7" answer cells hold an answer, written ones too.
    tests:    "9 of 9" passed in the last check, or "stale" when something has changed since.
    exported: "yes", "no", "stale" (exporting again would change the package) or "incomplete" (answers are missing).
    note:     what the student should know, such as why the notebook is unreadable.
    """

    module: Module
    state: Literal["not started", "started", "unreadable"]
    answered: str
    tests: str
    exported: Exported
    note: str = ""


def progress(course: Course) -> list[Progress]:
    """Return the progress of every module whose notebook is in the kit; a broken notebook costs its own row only."""
    return [_progress(course, module) for module in MODULES if course.released(module).is_file()]


def _progress(course: Course, module: Module) -> Progress:
    try:
        path, notes = find_work(course, module)
        if path is None:
            return Progress(module, "not started", "-", "-", exported_state(course, module, None))
        work = read_work(course, module)
    except CourseError as error:
        return Progress(module, "unreadable", "-", "-", exported_state(course, module, None), str(error))
    answered, answers = _answered(work)
    exported = exported_state(course, module, work)
    return Progress(module, "started", f"{answered} of {answers}", last_result(course, work), exported, " ".join(notes))


def _answered(work: Work) -> tuple[int, int]:
    slots = [slot for slot in work.skeleton.slots if slot.answer]
    return sum(not slot.unwritten(work.text(slot)) for slot in slots), len(slots)
