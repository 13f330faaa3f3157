"""One pytest marker per module of the course, put on every test in the module's folder: `pytest -m m05`.

Tests marked `slow` are skipped, and listed as skipped, unless `--slow` is given.
"""

from pathlib import Path

import pytest

from tito.registry import MODULES

TESTS = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests marked slow too")


def pytest_configure(config: pytest.Config) -> None:
    for module in MODULES:
        config.addinivalue_line("markers", f"{module.marker}: module {module.folder}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    markers = {module.folder: module.marker for module in MODULES}
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0] if item.path.is_relative_to(TESTS) else ""
        if folder in markers:
            item.add_marker(markers[folder])
        if item.get_closest_marker("slow") and not config.getoption("--slow"):
            item.add_marker(pytest.mark.skip(reason="slow: .ci/run runs it, or pytest --slow"))
