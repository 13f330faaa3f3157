"""How hard each graded cell was, and whether it tells who knows the module from who does not."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from nbformat import NotebookNode

from tito.course import Course
from tito.grading.gradebook import open_gradebook
from tito.registry import Module

FEWEST = 5  # students of whom a correlation says anything


@dataclass(frozen=True)
class Item:
    """One graded cell over the class.

    name:           its grade_id.
    graded:         how many students have points for it.
    waiting:        how many wait for a person to give them; whoever wrote nothing does not.
    share:          mean share of the points given, 0 to 1: the difficulty index of test theory.
    none:           how many got nothing.
    discrimination: correlation of its points with those of the module's other cells; None where it is not defined.
    """

    name: str
    graded: int
    waiting: int
    share: float
    none: int
    discrimination: float | None


def items(course: Course, module: Module, release: NotebookNode) -> list[Item]:
    """The graded cells of a module in the order of its released page.

    Raises:
        CourseError: the gradebook cannot be used.
    """
    with open_gradebook(course) as gradebook:
        submissions = [
            one for assignment in gradebook.assignments if assignment.name == module.folder
            for one in assignment.submissions
        ]  # fmt: skip
        grades = [
            {grade.name: (None if grade.needs_manual_grade else grade.score, grade.max_score) for grade in book.grades}
            for one in submissions
            for book in one.notebooks
        ]
    places = {cell.metadata.get("nbgrader", {}).get("grade_id"): place for place, cell in enumerate(release.cells)}
    known = dict.fromkeys(name for student in grades for name in student)
    names = sorted(known, key=lambda name: places.get(name, len(places)))
    shares = np.array(
        [[_share(*student.get(name, (None, 0))) for name in names] for student in grades], dtype=float
    ).reshape(len(grades), len(names))
    waiting = [sum(student.get(name, (0, 0))[0] is None for student in grades) for name in names]
    return [
        _item(name, waiting[place], shares[:, place], np.delete(shares, place, axis=1))
        for place, name in enumerate(names)
    ]


def _share(points: float | None, most: float) -> float:
    """Points of an item as a share; nan for what was not graded."""
    return points / most if points is not None and most else float("nan")


def _item(name: str, waiting: int, own: np.ndarray, others: np.ndarray) -> Item:
    graded = ~np.isnan(own)
    points = own[graded]
    return Item(
        name=name,
        graded=len(points),
        waiting=waiting,
        share=float(points.mean()) if len(points) else float("nan"),
        none=int((points == 0).sum()),
        discrimination=_correlation(points, np.nansum(others[graded], axis=1)),
    )


def _correlation(one: np.ndarray, other: Sequence[float] | np.ndarray) -> float | None:
    """Pearson's correlation; None for too few students, or where one of both never varies."""
    if len(one) < FEWEST or np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return float(np.corrcoef(one, other)[0, 1])
