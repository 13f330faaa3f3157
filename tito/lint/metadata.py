"""Rules on nbgrader's metadata."""

import re
from collections.abc import Iterator

from tito.lint.source import Finding, Source, line_of
from tito.sources.build import CELL_ID
from tito.sources.syntax import shared_names

FLAGS = ("grade", "locked", "solution", "task")
KEYS = {*FLAGS, "grade_id", "schema_version"}
DEFAULT_ID = re.compile(r"cell-[0-9a-f]{6,}|c\d+-.*|[\W\d_]*")


def metadata_complete(source: Source) -> Iterator[Finding]:
    """Managed cells have every key of schema 3, each of its type, and nothing else."""
    for cell in source.cells:
        if "nbgrader" not in cell.metadata:
            continue
        have = cell.nbgrader
        wanted = KEYS | ({"points"} if have.get("grade") else set())
        problems = [f"lacks {key}" for key in sorted(wanted - have.keys())]
        problems += [f"has {key}, which does not belong there" for key in sorted(have.keys() - wanted)]
        problems += [f"{key} is not true or false" for key in FLAGS if not isinstance(have.get(key, False), bool)]
        if have.get("schema_version", 3) != 3:
            problems.append(f"schema_version is {have['schema_version']}, not 3")
        points = have.get("points", 1)
        if isinstance(points, bool) or not isinstance(points, int | float) or points <= 0:
            problems.append(f"points are {points!r}, not a number above 0")
        for problem in problems:
            yield Finding(line_of(cell), "metadata-complete", f"the metadata of cell {cell.name} {problem}")


def grade_id(source: Source) -> Iterator[Finding]:
    """A `grade_id` is unique, says what the cell is about, and can be a cell id."""
    seen: dict[str, int] = {}
    for cell in source.cells:
        if not cell.nbgrader:
            continue
        name = cell.grade_id
        if not CELL_ID.fullmatch(name):
            message = f"grade_id '{name}' must be at most 64 letters, digits, '-' and '_'"
            yield Finding(line_of(cell), "grade-id", message)
        elif DEFAULT_ID.fullmatch(name):
            yield Finding(line_of(cell), "grade-id", f"grade_id '{name}' says nothing: name what the cell is about")
        if name in seen:
            yield Finding(line_of(cell), "grade-id", f"grade_id '{name}' is already that of cell {seen[name]}")
        seen.setdefault(name, cell.number)


def locked(source: Source) -> Iterator[Finding]:
    """Tests and given cells are locked, answers are not."""
    for cell in source.cells:
        if cell.nbgrader:
            answer = bool(cell.nbgrader.get("solution"))
            if bool(cell.nbgrader.get("locked")) == answer:
                message = "is an answer and must not be locked" if answer else "must be locked"
                yield Finding(line_of(cell), "locked", f"cell {cell.name} {message}")


def given_locked(source: Source) -> Iterator[Finding]:
    """A given code cell that is exported, or defines what a later cell uses, is locked in the student's notebook."""
    used_later: set[str] = set()
    for cell in reversed(source.cells):
        if cell.kind != "code":
            continue
        names = shared_names(cell.source)
        shared = sorted(names.bound & used_later)
        if not cell.nbgrader and (cell.exported or shared):
            why = "is exported" if cell.exported else f"defines {', '.join(shared[:3])} for later cells"
            message = f"cell {cell.name} {why}: give it a grade_id and '\"locked\": true'"
            yield Finding(line_of(cell), "given-locked", message)
        used_later |= names.used


def points_sum(source: Source) -> Iterator[Finding]:
    """The points of the graded cells add up to the registry's."""
    values = [cell.nbgrader.get("points", 0) for cell in source.cells if cell.nbgrader.get("grade")]
    total = sum(value for value in values if isinstance(value, int | float))
    if total != source.module.points:
        yield Finding(1, "points-sum", f"the cells give {total:g} points, the registry says {source.module.points}")


RULES = (metadata_complete, grade_id, locked, given_locked, points_sum)
