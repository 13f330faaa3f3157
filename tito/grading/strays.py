"""Folders in `submitted/` that were made before the roster came, under names that are nobody's in it."""

import re
from collections.abc import Iterable

from tito.course import Course
from tito.grading.collect.names import read_path
from tito.grading.collect.owners import ByRoster, Unclear
from tito.grading.roster import Student, all_students

PLATFORM_NUMBER = re.compile(r"_\d+$")  # stays in an id that a learning platform gave


def strays(course: Course, students: Iterable[Student]) -> list[str]:
    """Say of every folder that is nobody's whose it is, as far as names tell, and what to do: one sentence each.

    Args:
        course: with `students` in its gradebook.
        students: those that the roster names; others that are known by an id alone are there because they handed in.
    """
    if not course.submitted.is_dir():
        return []
    roster = {one.id: one for one in (*students, *(one for one in all_students(course) if one.is_described))}
    folders = sorted(path.name for path in course.submitted.iterdir() if path.is_dir())
    owners = ByRoster(list(roster.values()))
    return [_told(course, name, owners) for name in folders if name not in roster and not name.startswith(".")]


def _told(course: Course, name: str, owners: ByRoster) -> str:
    nobody = f"submitted/{name} is nobody on the roster"
    try:
        owner = owners.owner(read_path((PLATFORM_NUMBER.sub("", name), "tensor.ipynb")))
    except Unclear:
        return f"{nobody}: rename it to the owner's id, or add the student to the roster."
    if (course.submitted / owner).exists() or (course.history / owner).exists():
        return (
            f"{nobody}; it seems to be {owner}'s, who has a folder too: collect the same inbox again, then remove it."
        )
    moved = [f"submitted/{name} to submitted/{owner}"]
    if (course.history / name).is_dir():
        moved.append(f"submitted/.history/{name} to submitted/.history/{owner}")
    return f"{nobody}; it seems to be {owner}'s: rename {' and '.join(moved)}, and grade again."
