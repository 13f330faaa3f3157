"""The fixtures and helpers of `tests/course/`, and those of this folder."""

import importlib.util
import sys
from pathlib import Path

HERE = Path(__file__).parent


def _load(name, path):
    """A module by its file; pytest's importlib mode puts no folder on the path."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


fixtures = _load("course_fixtures", HERE.with_name("course") / "conftest.py")
_load("postgresql", HERE / "postgresql.py")
released_once, course, real_course = fixtures.released_once, fixtures.course, fixtures.real_course
