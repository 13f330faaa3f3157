"""The commands, one small file per group.

A file defines `register(app)`, which adds its commands with one of the panels below; `tito.cli` finds every file here.
Whatever is slow to import (nbgrader, jupytext, NumPy) is imported inside the command that needs it.
"""

from collections.abc import Sequence
from typing import Annotated

import typer

from tito.course import Course
from tito.registry import MODULES, Module, find_module

STUDENT = "For students"
INSTRUCTOR = "For instructors"
MAINTAINER = "For maintainers"
PANELS = (STUDENT, INSTRUCTOR, MAINTAINER)

ModuleNames = Annotated[
    list[str] | None,
    typer.Argument(metavar="[MODULE]...", help="Modules as 5, 05, autograd or 05_autograd; all when none is named."),
]


def chosen_modules(words: Sequence[str] | None) -> list[Module]:
    """The modules a person named, in the order of the course; all of them when none is named.

    Raises:
        CourseError: a name is unknown.
    """
    if not words:
        return list(MODULES)
    return sorted({find_module(word).number: find_module(word) for word in words}.values(), key=lambda m: m.number)


def written_modules(course: Course, words: Sequence[str] | None) -> list[Module]:
    """Like `chosen_modules`, but "all" means those whose source is there.

    Raises:
        CourseError: a name is unknown, or no source is there at all.
    """
    from tito.errors import CourseError
    from tito.student.work import written_modules as written

    if words:
        return chosen_modules(words)
    found = written(course)
    if not found:
        raise CourseError(f"There is no module in {course.root} yet.", "Students begin with: tito start 01.")
    return found
