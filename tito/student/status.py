"""How far each module is, read from the files themselves."""

from dataclasses import dataclass

from tito.course import Course
from tito.engine.normalise import normalise, same_text
from tito.engine.reading import Unreadable, parse_submission, read_bytes
from tito.engine.skeleton import load_skeleton
from tito.registry import MODULES, Module
from tito.student.check import last_result


@dataclass(frozen=True)
class Progress:
    """One module of a student.

    state:    "not started", "unreadable" or "started".
    answered: how many answer cells differ from the released ones.
    answers:  how many there are.
    checked:  (passed, tests) of a check of exactly this notebook, else None.
    exported: whether the package has the module.
    """

    module: Module
    state: str
    answered: int
    answers: int
    checked: tuple[int, int] | None
    exported: bool


def progress(course: Course) -> list[Progress]:
    """Return the progress of every module whose notebook is in the kit."""
    return [_progress(course, module) for module in MODULES if course.released(module).is_file()]


def _progress(course: Course, module: Module) -> Progress:
    skeleton = load_skeleton(course.released(module))
    slots = [slot for slot in skeleton.slots if slot.answer]
    exported = course.exported(module).is_file()
    path = course.work(module)
    if not path.exists():
        return Progress(module, "not started", 0, len(slots), None, exported)
    try:
        cells = normalise(parse_submission(read_bytes(path)), skeleton).notebook.cells
    except Unreadable:
        return Progress(module, "unreadable", 0, len(slots), None, exported)
    answered = sum(not same_text(cells[slot.index].source, slot.shown) for slot in slots)
    return Progress(module, "started", answered, len(slots), last_result(course, module), exported)
