"""Make the notebooks that students receive: nbgrader removes answers and hidden tests, the leak check looks again."""

import os
import re
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI

from tito.course import COURSE_NAME, Course
from tito.errors import CourseError
from tito.grading.gradebook import gradebook_url, is_file, open_gradebook
from tito.grading.lock import alone
from tito.grading.settings import nbgrader_config
from tito.grading.storage import room
from tito.registry import MODULES, Module
from tito.release.leaks import check_public
from tito.release.secrets import gather_secrets


def release_modules(course: Course, modules: Sequence[Module]) -> None:
    """Generate `release/NN_name/name.ipynb` for each module and register it in the gradebook, once all are good.

    Raises:
        CourseError: a source notebook is missing, nbgrader refuses it, or an answer would become public.
    """
    with scratch(course) as fresh:
        generate_on_trial(course, modules, fresh)
        check_public(gather_secrets(course, MODULES), fresh.release)
        publish_notebooks(course, modules, fresh)


@contextmanager
def scratch(course: Course) -> Iterator[Course]:
    """Yield an empty place inside .tito/, laid out as a course, in which a release is made before anybody sees it.

    Raises:
        CourseError: another command is at work in the course, or the disk is full.
    """
    fresh = Course(course.state / "release")
    with alone(course), room(f"{course.release.name}/"):
        shutil.rmtree(fresh.root, ignore_errors=True)
        fresh.root.mkdir(parents=True)
        try:
            yield fresh
        finally:
            shutil.rmtree(fresh.root, ignore_errors=True)


def generate_on_trial(course: Course, modules: Sequence[Module], fresh: Course) -> None:
    """Let nbgrader make the release notebooks in `fresh`, and register them in a copy of the gradebook.

    Raises:
        CourseError: a source notebook is missing, or nbgrader refuses it.
    """
    for module in modules:
        if not course.built(module).is_file():
            cure = f"Run 'tito build {module.number:02d}' first."
            raise CourseError(f"The notebook of module {module.folder} has not been built.", cure)
    with open_gradebook(course):
        pass  # creates the database completely, so that nbgrader need not start a program for it
    if is_file(course):  # one on a server is not copied: what nbgrader would refuse for its sake, it refuses later
        with closing(sqlite3.connect(course.gradebook)) as now, closing(sqlite3.connect(fresh.gradebook)) as copy:
            now.backup(copy)
    else:
        Gradebook(f"sqlite:///{fresh.gradebook}", COURSE_NAME).close()
    _generate(course, modules, fresh.release, f"sqlite:///{fresh.gradebook}")


def publish_notebooks(course: Course, modules: Sequence[Module], fresh: Course) -> None:
    """Register the modules in the gradebook, then put their notebooks from `fresh` into `release/`, one rename each."""
    _generate(course, modules, fresh.root / "registered", gradebook_url(course))
    for module in modules:
        course.released(module).parent.mkdir(parents=True, exist_ok=True)
        os.replace(fresh.released(module), course.released(module))


def register(course: Course, modules: Sequence[Module]) -> None:
    """Tell the gradebook of modules that are released already.

    Raises:
        CourseError: a source notebook is missing, or nbgrader refuses it.
    """
    with scratch(course) as fresh:
        with open_gradebook(course):
            pass  # creates the database completely, so that nbgrader need not start a program for it
        _generate(course, modules, fresh.release, gradebook_url(course))


def _generate(course: Course, modules: Sequence[Module], release: Path, database: str) -> None:
    config = nbgrader_config(course)
    config.CourseDirectory.release_directory = str(release)
    config.CourseDirectory.db_url = database
    api = NbGraderAPI(config=config)
    for module in modules:
        result = api.generate_assignment(module.folder, force=True, create=True)
        if str(result.get("error")).rstrip().endswith(KeyboardInterrupt.__name__):  # nbgrader catches Ctrl-C too
            raise KeyboardInterrupt
        if not result["success"]:
            raise CourseError(f"nbgrader could not release {module.folder}: {_reason(result)}.", _cure(result, module))


def _reason(result: dict[str, object]) -> str:
    text = f"{result.get('error') or ''}\n{result.get('log') or ''}"
    errors = re.findall(r"^\s*[\w.]+(?:Error|Exception|InvalidEntry): (.+)$", text, flags=re.MULTILINE)
    return errors[-1][:300].rstrip(".") if errors else "it gave no reason"


def _cure(result: dict[str, object], module: Module) -> str:
    if "submissions associated" in str(result):
        return (
            "Graded cells cannot come or go once students have handed in; undo that change, or start a new gradebook."
        )
    return f"Run 'tito lint {module.number:02d}' to find the cell."
