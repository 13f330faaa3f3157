"""What a notebook says after a test that passed: its points, what waits for grading, and in the end the sum."""

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tito.course import find_course
from tito.errors import CourseError

TEST_CELL = re.compile(r"^def (test_\w+)\(.*^    \1\(\)", re.DOTALL | re.MULTILINE)  # defines a test and runs it


@dataclass(frozen=True)
class Released:
    """A notebook as it was released.

    tests:   text of each test cell, in order, and its points.
    written: points of the answers that a person reads.
    """

    tests: dict[str, float]
    written: float


class Tally:
    """The test cells that passed in this session, by their text."""

    def __init__(self) -> None:
        self.passed: set[str] = set()

    def after_cell(self, result: Any) -> None:
        """Print what a cell that has just run has reached, if it is a test (IPython's `post_run_cell`)."""
        text = (result.info.raw_cell or "").strip()
        if not TEST_CELL.search(text):
            return
        self.passed.discard(text)
        if result.success:
            self.passed.add(text)
            print(self.report(text))

    def report(self, text: str) -> str:
        """Return the line for a test cell that passed; after the last test of a notebook, a second one with the sum."""
        notebook = next((n for n in released_notebooks(Path.cwd()) if text in n.tests), None)
        if notebook is None:
            return f"{_name(text)} passed; hidden cases wait until it is graded."
        line = f"{_name(text)} passed: {_points(notebook.tests[text])}, if its hidden cases pass too when it is graded."
        return f"{line}\n{self._sum(notebook)}" if text == list(notebook.tests)[-1] else line

    def _sum(self, notebook: Released) -> str:
        reached = sum(points for text, points in notebook.tests.items() if text in self.passed)
        left = [_name(text) for text in notebook.tests if text not in self.passed]
        count = f"{len(notebook.tests) - len(left)} of {len(notebook.tests)} tests passed in this session"
        total = sum(notebook.tests.values()) + notebook.written
        person = f"; a person reads your written answer for {notebook.written:g} more" if notebook.written else ""
        missing = f" Still to pass: {', '.join(left)}." if left else ""
        return f"{count}: {reached:g} of {_points(total)}{person}.{missing}"


@cache
def released_notebooks(folder: Path) -> tuple[Released, ...]:
    """Read the released notebooks of the course or kit around `folder`; none where there is no course."""
    try:
        release = find_course(folder).release
    except CourseError:
        return ()
    return tuple(_read(path) for path in sorted(release.glob("*/*.ipynb")))


def _read(path: Path) -> Released:
    """The graded cells of a notebook; none of one that cannot be read."""
    tests, written = {}, 0.0
    try:
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            managed = cell["metadata"].get("nbgrader", {})
            if managed.get("grade") and cell["cell_type"] == "code":
                tests["".join(cell["source"]).strip()] = float(managed["points"])
            elif managed.get("grade"):
                written += float(managed["points"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Released({}, 0)
    return Released(tests, written)


def _name(text: str) -> str:
    test = TEST_CELL.search(text)
    return test[1] if test else "test"


def _points(number: float) -> str:
    return f"{number:g} point{'' if number == 1 else 's'}"
