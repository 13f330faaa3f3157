"""The miniature course, released once for the whole test session."""

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

from tito.course import Course


def _load_mini():
    """pytest's importlib mode puts no folder on the path, so the helper is loaded by its file."""
    spec = importlib.util.spec_from_file_location("mini", Path(__file__).with_name("mini.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules["mini"] = module
    spec.loader.exec_module(module)
    return module


mini = _load_mini()


@pytest.fixture(scope="session")
def released_once(tmp_path_factory) -> Course:
    """Do not write into this one; take `course`."""
    from tito.release import release_modules

    course = mini.make_sources(tmp_path_factory.mktemp("course"))
    release_modules(course, [mini.TENSOR_MODULE, mini.ACTIVATIONS_MODULE])
    return course


@pytest.fixture
def course(released_once, tmp_path) -> Course:
    """A released course of the test's own."""
    shutil.copytree(released_once.root, tmp_path / "course")
    return Course(tmp_path / "course")
