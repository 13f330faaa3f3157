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
for path in ("postgresql.py", "payloads.py", "attacks/bank.py", "trusted/fuzz.py"):
    _load(Path(path).stem, HERE / path)
released_once, course = fixtures.released_once, fixtures.course
real_course, runner = fixtures.real_course, fixtures.runner
if "browser" in sys.modules:
    _load("showing", HERE / "showing.py")
