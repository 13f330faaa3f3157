"""Run the mutants of a module's answers against the graded test that stands under each."""

import copy
import math
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat.notebooknode import NotebookNode
from nbgrader.utils import determine_grade

from tito.course import Course
from tito.engine.cells import is_answer, is_test
from tito.engine.measurements import without_measurements
from tito.engine.runner import Limits
from tito.engine.warm import ColdRunner, WarmRunner, warm_runner
from tito.errors import CourseError
from tito.grading.stack import build_stack
from tito.mutation.equivalents import Key, key
from tito.mutation.mutants import Mutant, mutants
from tito.registry import Module
from tito.sources.build import notebook_text

PATIENCE = 5.0  # times as long as the answer itself takes, and SPARE seconds: then a mutant never ends
SPARE = 3


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant.

    cell:   the answer's grade_id.
    test:   the grade_id of its test.
    mutant: the change.
    killed: whether the test did not give full points.
    """

    cell: str
    test: str
    mutant: Mutant
    killed: bool

    @property
    def key(self) -> Key:
        """What tells the mutant from others."""
        return key(self.cell, self.mutant.before, self.mutant.after)


def answers(notebook: NotebookNode) -> dict[int, int]:
    """Place of every answer that has mutants -> place of the first graded test after it."""
    cells = [(place, cell) for place, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    found = {}
    for place, cell in cells:
        tests = [i for i, other in cells if i > place and is_test(other)]
        if is_answer(cell) and tests and mutants(cell.source):
            found[place] = tests[0]
    return found


def keys(notebook: NotebookNode) -> set[Key]:
    """What tells the mutants of all answers from each other."""
    cells = [notebook.cells[place] for place in answers(notebook)]
    return {key(cell.id, one.before, one.after) for cell in cells for one in mutants(cell.source)}


def solved(course: Course, module: Module) -> NotebookNode:
    """The module's notebook with its solutions and hidden tests, without its measurements."""
    return without_measurements(nbformat.reads(notebook_text(course, module), as_version=4))


class Trial:
    """Runs a module's answers with changes; made by `trial`."""

    def __init__(self, notebook: NotebookNode, runner: WarmRunner | ColdRunner, stack: Path) -> None:
        self.notebook, self._runner, self._stack = notebook, runner, stack

    def outcomes(self, place: int, test: int) -> Iterator[Outcome]:
        """Run every mutant of the answer at `place` against the test at `test`.

        Raises:
            CourseError: the answer itself does not pass.
        """
        cell = self.notebook.cells[place]
        start = time.monotonic()
        if not self._passes(place, test, cell.source, Limits()):
            raise CourseError(f"{cell.id} does not pass {self.notebook.cells[test].id}.", "Run the round trip test.")
        seconds = math.ceil(SPARE + PATIENCE * (time.monotonic() - start))
        limits = Limits(cell_seconds=seconds, total_seconds=seconds)
        for mutant in mutants(cell.source):
            killed = not self._passes(place, test, mutant.source, limits)
            yield Outcome(cell.id, self.notebook.cells[test].id, mutant, killed)

    def _passes(self, place: int, test: int, source: str, limits: Limits) -> bool:
        job = copy.deepcopy(self.notebook)
        job.cells[place].source = source
        for cell in job.cells[test + 1 :]:
            cell.source = ""
        try:
            done = self._runner.run(job, self._stack, limits).notebook
        except RuntimeError:  # it ended the process, or never ended
            return False
        score, most = determine_grade(done.cells[test])
        return bool(score == most)


@contextmanager
def trial(course: Course, module: Module) -> Iterator[Trial]:
    """A runner in which the solution has run, with a waiting copy of the process before each answer."""
    notebook = solved(course, module)
    with tempfile.TemporaryDirectory() as folder, warm_runner() as runner:
        stack = build_stack(course, module, Path(folder))
        runner.start_from(copy.deepcopy(notebook), stack, Limits())
        yield Trial(notebook, runner, stack)
