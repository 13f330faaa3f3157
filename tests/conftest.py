"""pytest's side of the module list: a marker per module (`pytest -m m05`), and patience with an unfinished kit.

Tests marked `slow` are skipped, and listed as skipped, unless `--slow` is given. With `--dist loadscope` the tests of a
file stay together, those of the round trip module by module, and the group that may take longest begins first.
"""

import gc
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tito.course import Course
from tito.registry import MODULES
from tito.student.unwritten import unwritten_parts

TESTS = Path(__file__).parent
PATIENCE = 120  # seconds a test may take, where pytest-timeout is installed; kits are without it


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests marked slow too")


def pytest_configure(config: pytest.Config) -> None:
    for module in MODULES:
        config.addinivalue_line("markers", f"{module.marker}: module {module.folder}")
    if hasattr(config, "workerinput") and signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        # Started in the background of a script; a command that a test starts and stops would inherit it.
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep groups together; pytest-xdist 3.8 with pytest 9.2 scatters those of `--dist loadgroup`, and says nothing."""
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _group(nodeid)

    return Groups(config, log) if config.getoption("dist") == "loadscope" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    markers = {module.folder: module.marker for module in MODULES}
    for item in items:
        if _folder(item.path) in markers:
            item.add_marker(markers[_folder(item.path)])
        if config.pluginmanager.hasplugin("timeout") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(PATIENCE))
        if item.get_closest_marker("slow") and not config.getoption("--slow"):
            item.add_marker(pytest.mark.skip(reason="slow: .ci/run runs it, or pytest --slow"))
    if hasattr(config, "workerinput"):  # of pytest-xdist
        _longest_first(items)


class NotBuiltYet(pytest.File):
    """A file of tests for a package that a student has not finished."""

    cure = ""

    def collect(self) -> Iterator[pytest.Item]:
        pytest.skip(self.cure, allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> NotBuiltYet | None:
    """In a kit, skip the tests of a module until it and those before it are written and exported."""
    cure = first_missing(Course(TESTS.parent), _folder(module_path))
    if not cure:
        return None
    skipped = NotBuiltYet.from_parent(parent, path=module_path)
    skipped.cure = cure
    return skipped


def first_missing(course: Course, folder: str) -> str:
    """Say which module keeps the tests in `folder` from running in a kit; "" when they can run."""
    until = next((module.number for module in MODULES if module.folder == folder), 0)
    for module in MODULES[:until]:
        number = f"{module.number:02d}"
        if course.is_kit and not course.exported(module).is_file():
            return f"module {number} is not in your package yet: tito export {number}"
        if course.is_kit and (blank := unwritten_parts(course, module)):
            return f"module {number} in your package lacks {blank[0]}: write it, then tito export {number}"
    return ""


@pytest.fixture
def objects_left() -> Callable[..., int]:
    """A function that says how many more objects there are after `times` calls than after two: garbage counts."""

    def objects_left(step: Callable[[], object], times: int) -> int:
        step()
        gc.collect()
        gc.disable()
        try:
            step()
            before = len(gc.get_objects())
            for _ in range(times):
                step()
            return len(gc.get_objects()) - before
        finally:
            gc.enable()

    return objects_left


def _group(nodeid: str) -> str:
    """Tests that share what their fixtures make: those of a file, where they go module by module those of a module."""
    file, _, test = nodeid.partition("::")
    module = None if "real_release" in file else re.search(r"\[(\d\d_[a-z]+)", test)  # all at once
    return f"{file} {module[1] if module else ''}"


def _longest_first(items: list[pytest.Item]) -> None:
    """Order groups by the patience that their tests ask for, so that no worker is left with a long one at the end."""
    seconds: dict[str, float] = {}
    for item in items:
        limit = item.get_closest_marker("timeout")
        seconds[_group(item.nodeid)] = max(seconds.get(_group(item.nodeid), 0), limit.args[0] if limit else 0)
    items.sort(key=lambda item: -seconds[_group(item.nodeid)])


def _folder(path: Path) -> str:
    """The folder of the module that a file tests, a checkpoint too; else any other folder below tests/, or ""."""
    if not path.is_relative_to(TESTS):
        return ""
    first = path.relative_to(TESTS).parts[0]
    return path.stem.removeprefix("checkpoint_") if first == "checkpoints" else first
