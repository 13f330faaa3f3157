"""A `Runner` whose scores cannot be talked into anything: answers run in a box, tests outside it."""

import ast
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import nbformat
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

import tito
from tito.engine.cells import is_answer, is_test
from tito.engine.isolation import Isolation
from tito.engine.runner import (
    Execution,
    Limits,
    Reason,
    SubprocessRunner,
    as_run,
    code_cells,
)
from tito.errors import CourseError
from tito.sources.syntax import parse
from tito.trusted import box
from tito.trusted.wire import Closed, Garbled, TooLate, receive, send

PATIENCE = 90.0  # seconds until scorer and box stand
GRACE = 5.0  # seconds after a limit, until the scorer is ended from here
TRIES = 2  # of a submission in whose time a process of ours died
SCORER = ["-m", "tito.trusted.scorer"]
LOADED = ("numpy", "numpy.random", "matplotlib.pyplot", "matplotlib_inline.backend_inline", "stack_data", "tito.lab")


class TrustedRunner(SubprocessRunner):
    """Runs notebooks of one page after the other; use it as a context manager.

    Args:
        scratch: where temporary folders are made; the system's place by default.
        isolation: `Isolation.SANDBOX` shuts student code in; `Isolation.NONE` runs it beside us.
    """

    def __init__(self, scratch: Path | None = None, isolation: Isolation = Isolation.SANDBOX) -> None:
        super().__init__(scratch, isolation)
        self._scorers: dict[str, _Scorer] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> "TrustedRunner":
        return self

    def __exit__(self, *_: object) -> None:
        """End every process."""
        for scorer in self._scorers.values():
            scorer.close()
        self._scorers.clear()

    def run(self, notebook: NotebookNode, stack: Path, limits: Limits) -> Execution:
        """Run the code cells of `notebook` but its measurements (changed in place: outputs are filled in).

        A submission in whose time scorer or box died is run again with new ones: somebody else may have been to blame.

        Raises:
            CourseError: the box does not work here.
            RuntimeError: scorer or box died each time.
        """
        for tries in range(1, TRIES + 1):
            scorer = self._scorer(notebook, stack, limits)  # its start is not the first student's time
            execution = super().run(notebook, stack, limits)
            if not execution.stops:
                return execution
            if not scorer.works(limits):
                self.__exit__()
            elif tries == TRIES or not any(stop.reason is Reason.SCORER for stop in execution.stops):
                return execution
        raise RuntimeError(f"it ended the grader's own processes {TRIES} times")

    def attempt(
        self, notebook: NotebookNode, stack: Path, limits: Limits, folder: Path, end: float
    ) -> "_TrustedAttempt":
        """One box for the notebook, from its first cell."""
        return _TrustedAttempt(notebook, limits, end, self._scorer(notebook, stack, limits).open())

    def _scorer(self, notebook: NotebookNode, stack: Path, limits: Limits) -> "_Scorer":
        """The scorer of the notebook's page; that of another page is ended."""
        if self.isolation is Isolation.SANDBOX:
            box.require()
        given = [cell.source for cell in notebook.cells if not is_answer(cell)]
        key = json.dumps([given, str(stack), asdict(limits)])
        with self._lock:
            if key not in self._scorers:
                for scorer in self._scorers.values():
                    scorer.close()
                self._scorers = {key: _Scorer(notebook, stack, limits, self.isolation, self.scratch)}
            return self._scorers[key]


class _Scorer:
    """The process that forks for each submission."""

    def __init__(
        self, notebook: NotebookNode, stack: Path, limits: Limits, isolation: Isolation | None, scratch: Path | None
    ) -> None:
        self.folder = tempfile.mkdtemp(prefix="tito-", dir=scratch)
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        given = [cell if not is_answer(cell) else cell | {"source": ""} for cell in notebook.cells]
        settings = {
            "stack": str(stack),
            "modules": _modules(notebook, stack),
            "limits": asdict(limits),
            "boxed": isolation is Isolation.SANDBOX,
            "cells": given,
        }
        source = str(Path(tito.__file__).parents[1])
        variables = {"PYTHONPATH": source, "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0", "MPLBACKEND": "agg"}
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-B", *SCORER, str(theirs.fileno())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            env=os.environ | variables | {"NBGRADER_EXECUTION": "autograde", "TMPDIR": self.folder},
            start_new_session=True,
        )
        theirs.close()
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(settings).encode() + b"\n")
        self.process.stdin.flush()
        self.control.settimeout(PATIENCE)
        try:
            trouble = json.loads(self.control.recv(4000) or b"null")
        except TimeoutError:
            trouble = None
        self.control.settimeout(None)
        if trouble != []:
            self.close()
            raise CourseError(*(trouble or ("The grader's own process does not start.", "This is a bug of tito.")))

    def open(self) -> socket.socket:
        """Let it fork for one submission, and return the link to that process: a closed one when the scorer is dead."""
        ours, theirs = socket.socketpair()
        with contextlib.suppress(OSError):
            socket.send_fds(self.control, [b"score"], [theirs.fileno()])
        theirs.close()
        return ours

    def works(self, limits: Limits) -> bool:
        """Whether a cell that does nothing comes to its end."""
        idle = new_notebook(cells=[new_code_cell("None")])
        attempt = _TrustedAttempt(idle, limits, time.monotonic() + GRACE, self.open())
        attempt.run(set())
        return attempt.failed is None

    def close(self) -> None:
        """End it, and the box with it."""
        self.control.close()
        try:
            self.process.wait(GRACE)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class _TrustedAttempt:
    """One run of the notebook from its first cell."""

    def __init__(self, notebook: NotebookNode, limits: Limits, end: float, link: socket.socket) -> None:
        self.notebook, self.limits, self.end, self.link = notebook, limits, end, link
        self.finished: set[int] = set()
        self.failed: tuple[int, Reason] | None = None
        self._cells = code_cells(notebook)
        self._current = self._cells[0] if self._cells else 0
        self._process = 0

    def run(self, stopped: set[int]) -> None:
        """Send the answers, take the outputs."""
        self.finished |= stopped
        cells = [[index, self.notebook.cells[index].source] for index in self._cells if index not in stopped]
        job = {"cells": cells, "limits": asdict(self.limits), "seconds": self.end - time.monotonic()}
        last = self.end + GRACE
        try:
            send(self.link, job, [], last)
            while self._take(receive(self.link, last)[0]):
                continue
        except TooLate:
            self.failed = (self._current, Reason.TOTAL_TIME)
        except (Closed, OSError):
            self.failed = (self._current, Reason.SCORER)
        except (Garbled, nbformat.ValidationError, ValueError, TypeError, RecursionError):
            self.failed = (self._current, Reason.GARBLED)
        finally:
            self.link.close()
            if self._process and self.failed:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._process, signal.SIGKILL)

    def _take(self, message: dict[str, Any]) -> bool:
        """Note what the scorer says; False when it is over."""
        match message:
            case {"process": int(number)}:
                self._process = number
            case {"start": int(index)}:
                self._current = index
            case {"failed": str(reason)}:
                self.failed = (self._current, Reason[reason])
                return False
            case {"done": int(index), "count": int(count), "outputs": list(outputs)}:
                text = json.dumps(outputs, ensure_ascii=False, allow_nan=False)
                outputs = json.loads(text.encode(errors="replace"))
                self.notebook.cells[index].update(as_run(count, outputs))
                self.finished.add(index)
            case _:
                return False
        return True


def _modules(notebook: NotebookNode, stack: Path) -> dict[str, bool]:
    """What the box loads before the first submission, and whether it must be there.

    These are what every page needs, and what the page's own cells and tests import. A test may import what it can do
    without, such as SciPy; `tinytorch` in a given cell is of the modules before, and must be there.
    """
    found = {name: True for name in LOADED if name != "tito.lab" or (stack / "tito" / "lab").is_dir()}
    for cell in notebook.cells:
        if cell.cell_type == "code" and not is_answer(cell):
            try:
                tree = parse(cell.source)
            except (SyntaxError, ValueError):
                continue
            for node in ast.walk(tree):
                for name in _imported(node):
                    found[name] = found.get(name, False) or (name.startswith("tinytorch") and not is_test(cell))
    return found


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [node.module] if node.module and not node.level else []
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
