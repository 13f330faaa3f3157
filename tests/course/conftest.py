"""The miniature course, released once for the whole test session; and the real one, module by module."""

import importlib.util
import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from tito.course import Course
from tito.engine.runner import SubprocessRunner
from tito.engine.warm import warm_runner
from tito.trusted.box import trouble


def _load(name):
    """pytest's importlib mode puts no folder on the path, so the helpers are loaded by their files."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


mini, real = _load("mini"), _load("real")
inboxes, hand_in_trees = _load("inboxes"), _load("hand_in_trees")
interruptions, lab_server = _load("interruptions"), _load("lab_server")
if importlib.util.find_spec("playwright"):
    _load("browser")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--picture", help="where test_first_exercise.py leaves its screenshot of a wrong answer")


@pytest.fixture(autouse=True)
def beside_the_answers_where_there_is_no_sandbox(monkeypatch):
    """What is tested in this folder is the rest of grading; `tests/grading/` tests the sandbox."""
    if trouble():
        monkeypatch.setattr("tito.grading.grade.TrustedRunner", SubprocessRunner)


@pytest.fixture(scope="session")
def released_once(tmp_path_factory) -> Course:
    """Do not write into this one; take `course`."""
    from tito.release.notebooks import release_modules

    course = mini.make_sources(tmp_path_factory.mktemp("course"))
    release_modules(course, [mini.TENSOR_MODULE, mini.ACTIVATIONS_MODULE])
    return course


@pytest.fixture
def course(released_once, tmp_path) -> Course:
    """A released course of the test's own."""
    shutil.copytree(released_once.root, tmp_path / "course")
    return Course(tmp_path / "course")


@pytest.fixture
def full_course(course) -> Course:
    """A released course with public tests, a milestone, a misconception and an alternative."""
    mini.add_public_files(course)
    return course


@pytest.fixture(scope="session")
def kit_zip(released_once, tmp_path_factory) -> Path:
    """The student kit of the miniature course."""
    from tito.release.kit import make_kit

    folder = tmp_path_factory.mktemp("kit") / "course"
    shutil.copytree(released_once.root, folder)
    return make_kit(Course(folder))


@pytest.fixture
def kit(kit_zip, tmp_path) -> Course:
    """The unzipped kit of one student."""
    with zipfile.ZipFile(kit_zip) as file:
        file.extractall(tmp_path)
    return Course(tmp_path / "tinytorch-kit")


@pytest.fixture
def inbox(tmp_path) -> Path:
    """A folder for what students send."""
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@pytest.fixture
def empty(tmp_path) -> Course:
    """A course in which nobody has handed in anything, without a gradebook."""
    return inboxes.make_course(tmp_path / "course")


@pytest.fixture(scope="session")
def rostered_once(tmp_path_factory) -> Course:
    """Do not write into this one; take `rostered`."""
    return inboxes.make_rostered(tmp_path_factory.mktemp("rostered"))


@pytest.fixture
def rostered(rostered_once, tmp_path) -> Course:
    """A course with `inboxes.CLASS` in its gradebook."""
    shutil.copytree(rostered_once.root, tmp_path / "course")
    return Course(tmp_path / "course")


@pytest.fixture(scope="session")
def real_course(tmp_path_factory):
    """`real_course[module]` is a `RealModule`."""
    return real.RealCourse(tmp_path_factory.mktemp("real"))


@pytest.fixture(scope="session")
def runner():
    """A `Runner` for the many variants of a page."""
    with warm_runner() as runner:
        yield runner
