"""Mutants that a person has found to compute the same as the answer: `tests/NN_name/equivalents.toml`.

[[equivalent]]
cell = "linear"
before = "if x.ndim == 0 or x.shape[-1] != weight.shape[1]:"
after = ["if x.ndim <= 0 or x.shape[-1] != weight.shape[1]:"]
reason = "no array has fewer than 0 axes"
"""

import tomllib
from collections.abc import Container
from dataclasses import dataclass

from tito.course import Course
from tito.errors import CourseError
from tito.registry import Module

Key = tuple[str, str, str]


def key(cell: str, before: str, after: str) -> Key:
    """What tells a mutant from all others: its cell, and its line before and after without any blanks."""
    return cell, "".join(before.split()), "".join(after.split())


@dataclass(frozen=True)
class Equivalent:
    """One mutant of which a person says that no test can tell it from the answer."""

    cell: str
    before: str
    after: str
    reason: str

    @property
    def key(self) -> Key:
        """What tells it from others."""
        return key(self.cell, self.before, self.after)


def read_equivalents(course: Course, module: Module) -> list[Equivalent]:
    """The reviewed equivalents of a module; none when there is no file.

    Raises:
        CourseError: the file cannot be read, or an entry lacks a part or says no reason.
    """
    path = course.tests(module) / "equivalents.toml"
    if not path.is_file():
        return []
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))["equivalent"]
        found = [
            Equivalent(one["cell"], one["before"], after, one["reason"]) for one in entries for after in one["after"]
        ]
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise CourseError(f"{path}: {error!r}.", "An entry has cell, before, after (a list), reason.") from None
    silent = [one.cell for one in found if not one.reason.strip()]
    if silent:
        raise CourseError(f"{path}: no reason is given for {', '.join(silent)}.", "Say why no test can tell it.")
    return found


def stale(equivalents: list[Equivalent], mutants: Container[Key]) -> list[Equivalent]:
    """Those that belong to no mutant any more, since the answer has changed."""
    return [one for one in equivalents if one.key not in mutants]
