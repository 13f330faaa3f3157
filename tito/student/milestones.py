"""The milestones: famous networks that run on the exported package, each a script in `milestones/NN_year_name/`.

A script says in NEEDS which modules it needs and in GOALS what it claims; both are read without running it. Its `run`
trains, tells a person what came of it, saves a picture, and returns shares between 0 and 1.
"""

import ast
from dataclasses import dataclass
from pathlib import Path

from tito.course import Course
from tito.errors import CourseError
from tito.registry import MODULES, Module

Goals = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Milestone:
    """One script.

    title: the first line of its docstring.
    needs: the modules that must be exported.
    goals: name of a share -> "least", "most" or "mean" -> what it must be.
    """

    path: Path
    title: str
    needs: tuple[Module, ...]
    goals: Goals

    @property
    def folder(self) -> str:
        """Such as "04_1998_cnn"."""
        return self.path.parent.name

    @property
    def words(self) -> tuple[str, ...]:
        """What a person may call it: "04_1998_cnn", "04", "4", "1998" or "cnn"."""
        number, year, name = self.folder.split("_", 2)
        return (self.folder, number, str(int(number)), year, name)


def find_milestones(course: Course) -> list[Milestone]:
    """Return the milestones of a course or a student kit, in their order."""
    return [read_milestone(path) for path in sorted(course.milestones.glob("[0-9]*_*_*/*.py"))]


def read_milestone(path: Path) -> Milestone:
    """Read what a script says about itself.

    Raises:
        CourseError: it does not say it.
    """
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        constants = {ast.unparse(node.targets[0]): node.value for node in tree.body if isinstance(node, ast.Assign)}
        numbers, goals = (ast.literal_eval(constants[name]) for name in ("NEEDS", "GOALS"))
    except (SyntaxError, KeyError, ValueError):
        problem = f"{path.parent.name}/{path.name} cannot be read: it needs a NEEDS and a GOALS of plain values."
        raise CourseError(problem, "Restore the file from the course or the kit.") from None
    title = (ast.get_docstring(tree) or path.stem).splitlines()[0]
    return Milestone(path, title, tuple(module for module in MODULES if module.number in numbers), goals)


def find_milestone(course: Course, word: str) -> Milestone:
    """Return the milestone that a person means.

    Raises:
        CourseError: there is none, or the year has two; the message lists what there is to choose from.
    """
    milestones = find_milestones(course)
    meant = [milestone for milestone in milestones if word.lower() in milestone.words]
    if len(meant) == 1:
        return meant[0]
    problem = f"'{word}' means two milestones." if meant else f"There is no milestone '{word}'."
    known = ", ".join(milestone.folder for milestone in meant or milestones) or "none here"
    raise CourseError(problem, f"Choose one of: {known}.")


def require_modules(course: Course, milestone: Milestone) -> None:
    """Check that every module that a milestone needs has been exported.

    Raises:
        CourseError: names those that are missing.
    """
    missing = [module for module in milestone.needs if not course.exported(module).is_file()]
    if missing:
        names = ", ".join(module.folder for module in missing)
        first = f"{missing[0].number:02d}"
        problem = f"{milestone.folder} needs {names}, which your package does not have yet."
        raise CourseError(problem, f"Finish module {first}, then run 'tito export {first}'.")
