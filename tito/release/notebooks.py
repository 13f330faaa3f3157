"""Make the notebooks that students receive: nbgrader removes answers and hidden tests, the leak check looks again."""

import re
from collections.abc import Sequence
from pathlib import Path

from nbgrader.apps import NbGraderAPI
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from tito.course import Course
from tito.errors import CourseError
from tito.grading.gradebook import open_gradebook
from tito.registry import Module
from tito.release.leaks import Secrets, find_leaks, gather_secrets, read_texts


def nbgrader_config(course: Course) -> Config:
    """Return the course's nbgrader settings, rooted in the course wherever the command was started."""
    config: Config = PyFileConfigLoader("nbgrader_config.py", path=str(course.root)).load_config()
    config.CourseDirectory.root = str(course.root)
    config.NbGraderAPI.log_level = "ERROR"
    exchange = course.state / "exchange"  # nbgrader wants one, or complains aloud; this course does not use it
    exchange.mkdir(parents=True, exist_ok=True)
    config.Exchange.root = str(exchange)
    return config


def release_modules(course: Course, modules: Sequence[Module]) -> None:
    """Generate `release/NN_name/name.ipynb` for each module and register it in the gradebook.

    Raises:
        CourseError: a source notebook is missing, nbgrader refuses it, or an answer would become public.
    """
    for module in modules:
        if not course.built(module).is_file():
            cure = f"Run 'tito build {module.number:02d}' first."
            raise CourseError(f"The notebook of module {module.folder} has not been built.", cure)
    with open_gradebook(course):
        pass  # creates the database completely, so that nbgrader need not start a program for it
    api = NbGraderAPI(config=nbgrader_config(course))
    for module in modules:
        result = api.generate_assignment(module.folder, force=True, create=True)
        if not result["success"]:
            raise CourseError(f"nbgrader could not release {module.folder}: {_reason(result)}.", _cure(result, module))
    check_public(gather_secrets(course, modules), course.release)


def check_public(secrets: Secrets, folder: Path) -> None:
    """Look for answers in everything below `folder`.

    Raises:
        CourseError: one was found; the message names file and line.
    """
    leaks = find_leaks(secrets, read_texts(folder))
    if leaks:
        leak = leaks[0]
        place = f"{leak.path.relative_to(folder).as_posix()}, line {leak.line},"
        more = f" ({len(leaks) - 1} more)" if len(leaks) > 1 else ""
        problem = f"{place} would give away {leak.origin}: '{leak.text}'{more}."
        raise CourseError(problem, "Write the public line another way, or move it into the hidden part only.")


def _reason(result: dict[str, object]) -> str:
    text = f"{result.get('error') or ''}\n{result.get('log') or ''}"
    errors = re.findall(r"^\s*\w+(?:Error|Exception): (.+)$", text, flags=re.MULTILINE)
    return errors[-1][:300].rstrip(".") if errors else "it gave no reason"


def _cure(result: dict[str, object], module: Module) -> str:
    if "submissions associated" in str(result):
        return (
            "Graded cells cannot come or go once students have handed in; undo that change, or start a new gradebook."
        )
    return f"Run 'tito lint {module.number:02d}' to find the cell."
