"""The milestones: famous networks that run on the exported package, each a script in `milestones/`."""

import ast
import importlib.util
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tito.course import Course
from tito.errors import CourseError
from tito.registry import MODULES, Module


@dataclass(frozen=True)
class Milestone:
    """One script of `milestones/NN_year_name/`.

    title: the first line of its docstring.
    needs: the modules that must be exported, as the script's NEEDS says.
    """

    path: Path
    title: str
    needs: tuple[Module, ...]

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
    return [read_milestone(path) for path in sorted((course.root / "milestones").glob("[0-9]*_*_*/*.py"))]


def read_milestone(path: Path) -> Milestone:
    """Read a script's title and needs without running it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    numbers = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "NEEDS"
    )
    title = (ast.get_docstring(tree) or "").splitlines()[0]
    return Milestone(path, title, tuple(module for module in MODULES if module.number in numbers))


def find_milestone(course: Course, word: str) -> Milestone:
    """Return the milestone that a person means.

    Raises:
        CourseError: there is none; the message lists those there are.
    """
    found = find_milestones(course)
    for milestone in found:
        if word.lower() in milestone.words:
            return milestone
    known = ", ".join(milestone.folder for milestone in found) or "none here"
    raise CourseError(f"There is no milestone '{word}'.", f"Choose one of: {known}.")


def require_modules(course: Course, milestone: Milestone) -> None:
    """Check that every module that the milestone needs has been exported.

    Raises:
        CourseError: names the first one that is missing.
    """
    for module in milestone.needs:
        if not (course.root / module.target).is_file():
            raise CourseError(
                f"{milestone.folder} needs module {module.folder}, which is not in your package yet.",
                f"Finish it, then run 'tito export {module.number:02d}'.",
            )


def run_milestone(course: Course, milestone: Milestone, seed: int, figures: Path | None) -> None:
    """Run the script on the course's package, on one thread.

    Raises:
        CourseError: a module is missing, or the code failed; the message holds the error's last line and its place.
    """
    require_modules(course, milestone)
    command = [sys.executable, str(milestone.path), "--seed", str(seed)]
    if figures and importlib.util.find_spec("matplotlib"):
        figures.mkdir(parents=True, exist_ok=True)
        command += ["--figures", str(figures)]
    environment = os.environ | {"PYTHONPATH": str(course.root), "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    done = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise CourseError(f"{milestone.folder} stopped: {last_error(course, done.stderr)}.", "Run 'tito check' on it.")


def last_error(course: Course, traceback: str) -> str:
    """The error's own line, and the module of the package that it came from, if any."""
    lines = traceback.strip().splitlines() or ["without a word"]
    places = [module for line in lines for module in MODULES if f"{course.root / module.target}" in line]
    return f"{lines[-1]} (in module {places[-1].folder})" if places else lines[-1]
