"""Run a notebook's cells where a bad cell can do no harm to the rest.

`Runner` is the interface; `SubprocessRunner` keeps student code in a process of its own with limits for time, memory
and output. It protects from accidents, not from malice.
"""

import json
import queue
import tempfile
import threading
import time
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

import nbformat
from nbformat.notebooknode import NotebookNode, from_dict
from nbformat.v4 import new_notebook

from tito.engine import process
from tito.engine.isolation import Isolation
from tito.engine.measurements import measurements

STOPPED = "Stopped"  # the name of the error that a stopped cell is given
EMPTY_CELL = {"cell_type": "code", "id": "any", "metadata": {}, "source": ""}


@dataclass(frozen=True)
class Limits:
    """What one submission may use.

    cell_seconds:  wall time of one cell.
    total_seconds: wall time of the whole notebook, restarts included.
    memory_bytes:  address space of the process (not enforced by macOS and Windows).
    file_bytes:    size of a file that it writes (not enforced by Windows).
    output_chars:  printed text kept of one cell.
    restarts:      how often the notebook is run again after a cell that had to be killed.
    """

    cell_seconds: float = 30
    total_seconds: float = 150
    memory_bytes: int = 4 << 30
    file_bytes: int = 64 << 20
    output_chars: int = 50_000
    restarts: int = 5


class Reason(Enum):
    """Why a cell did not come to its end; the value says it in words that follow the cell's name."""

    CELL_TIME = "was stopped: one cell may take {limits.cell_seconds:g} seconds"
    TOTAL_TIME = "was stopped: all cells together may take {limits.total_seconds:g} seconds"
    ENDED = "ended the Python process"
    SCORER = "ended the process that runs its tests"
    GARBLED = "wrote into the grader's own pipe"


@dataclass(frozen=True)
class Stop:
    """A cell that did not come to its end.

    cell:    its position in the notebook.
    reason:  which limit it ran into.
    remark:  the same in one sentence for the student.
    """

    cell: int
    reason: Reason
    remark: str


@dataclass(frozen=True)
class Execution:
    """A notebook after its run: with outputs, and with the cells that had to be stopped, in order.

    isolation: what the runner vouches for; None when it says nothing about it.
    """

    notebook: NotebookNode
    stops: tuple[Stop, ...] = ()
    isolation: Isolation | None = None

    @property
    def remarks(self) -> tuple[str, ...]:
        """Which cells were stopped and why, one sentence each."""
        return tuple(stop.remark for stop in self.stops)


class Runner(Protocol):
    """Anything that can run a notebook."""

    def run(self, notebook: NotebookNode, stack: Path, limits: Limits) -> Execution:
        """Run the code cells; `stack` is the folder from which the cells import `tinytorch` and `tito`."""
        ...


class SubprocessRunner:
    """Runs each notebook in one process of its own; a killed cell costs only itself.

    Args:
        scratch: where the working folders of the processes are made and removed; the system's place by default.
        isolation: what its results say of it.
    """

    def __init__(self, scratch: Path | None = None, isolation: Isolation | None = None) -> None:
        self.scratch, self.isolation = scratch, isolation

    def run(self, notebook: NotebookNode, stack: Path, limits: Limits) -> Execution:
        """Run the code cells of `notebook` but its measurements (changed in place: outputs are filled in).

        A cell that exceeds its time or ends the process is given an error, and the notebook runs again in a fresh
        process without it, so that the other cells still count.
        """
        end = time.monotonic() + limits.total_seconds
        stopped: set[int] = set()
        stops: list[Stop] = []
        for left in reversed(range(limits.restarts + 1)):
            with tempfile.TemporaryDirectory(prefix="tito-", dir=self.scratch, ignore_cleanup_errors=True) as folder:
                attempt = self.attempt(notebook, stack, limits, Path(folder), end)
                attempt.run(stopped)
            if attempt.failed is None:
                break
            index, reason = attempt.failed
            words = reason.value.format(limits=limits)
            last = not left or time.monotonic() >= end
            rest = "the cells after it were not run" if last else "the other cells were still run"
            stops.append(Stop(index, reason, f"Cell {_label(notebook, index)} {words}; {rest}."))
            stopped.add(index)
            _mark_failed(notebook, index, words, attempt.finished | stopped)
            if last:
                break
        return Execution(notebook, tuple(stops), self.isolation)

    def attempt(self, notebook: NotebookNode, stack: Path, limits: Limits, folder: Path, end: float) -> "Attempt":
        """A process that will run the notebook from its first cell, in `folder`."""
        return _Attempt(notebook, stack, limits, folder, end)


class Attempt(Protocol):
    """One run of a notebook: `finished` cells, and the one that `failed`, if any."""

    finished: set[int]
    failed: tuple[int, Reason] | None

    def run(self, stopped: set[int]) -> None:
        """Run all cells but those `stopped` before."""
        ...


class _Attempt:
    """One process that runs the notebook from its first cell."""

    def __init__(self, notebook: NotebookNode, stack: Path, limits: Limits, folder: Path, end: float) -> None:
        self.notebook, self.limits, self.end = notebook, limits, end
        self.finished: set[int] = set()
        self.failed: tuple[int, Reason] | None = None
        self._cells = code_cells(notebook)
        self._current = self._cells[0] if self._cells else 0
        self._deadline = 0.0
        self._answers: queue.Queue[bytes] = queue.Queue(maxsize=4)
        self._process = process.start(stack, folder)

    def run(self, stopped: set[int]) -> None:
        """Send the cells, take their outputs, and leave no process behind."""
        reader = threading.Thread(target=self._read, daemon=True)
        reader.start()
        try:
            self._send(self._job(stopped))
            self._follow()
        finally:
            process.end(self._process)
            patience = time.monotonic() + process.PATIENCE
            while reader.is_alive() and time.monotonic() < patience:  # it may wait for room in the queue
                self._drain()
                reader.join(0.05)
            if self._process.stdout and not reader.is_alive():  # a pipe that somebody holds is left to them
                self._process.stdout.close()

    def _job(self, stopped: set[int]) -> bytes:
        sources = {i: self.notebook.cells[i].source for i in self._cells if i not in stopped}
        self.finished |= stopped
        job = {
            "cells": [{"index": index, "source": source} for index, source in sources.items()],
            "memory": self.limits.memory_bytes,
            "cpu": int(self.limits.total_seconds) + 5,
            "file": self.limits.file_bytes,
            "output": self.limits.output_chars,
        }
        return json.dumps(job).encode() + b"\n"

    def _send(self, data: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(data)
            self._process.stdin.flush()  # stays open: its end tells the other side that we are gone
        except (BrokenPipeError, OSError):
            return  # it died at once; `_follow` sees the end of its output

    def _read(self) -> None:
        """Move answer lines into the queue; an empty line is the end."""
        assert self._process.stdout is not None
        longest = 60 * self.limits.output_chars + (8 << 20)
        while True:
            line = self._process.stdout.readline(longest)
            if not line.endswith(b"\n"):
                line = b""
            self._answers.put(line)
            if not line:
                return

    def _drain(self) -> None:
        while not self._answers.empty():
            self._answers.get_nowait()

    def _follow(self) -> None:
        """Take answers until the last cell is done, a limit is reached or the process is gone."""
        self._allow(self.limits.cell_seconds + 30)  # starting Python counts here
        while True:
            try:
                line = self._answers.get(timeout=max(0.0, self._deadline - time.monotonic()))
            except queue.Empty:
                reason = Reason.TOTAL_TIME if self._deadline == self.end else Reason.CELL_TIME
                self.failed = (self._current, reason)
                return
            if not line:
                left = set(self._cells) - self.finished
                self.failed = (self._current, Reason.ENDED) if left else None
                return
            try:
                self._take(_message(line))
            except (ValueError, TypeError, RecursionError, nbformat.ValidationError):
                self.failed = (self._current, Reason.GARBLED)
                return

    def _allow(self, seconds: float) -> None:
        self._deadline = min(self.end, time.monotonic() + seconds)

    def _take(self, message: dict[str, Any]) -> None:
        """Note what the worker says.

        Raises:
            ValueError, TypeError, nbformat.ValidationError: the worker never says such a thing; student code does.
        """
        match message:
            case {"ready": True}:
                return
            case {"start": int(index)} if index in self._cells:
                self._current = index
                self._allow(self.limits.cell_seconds)
            case {"done": int(index), "count": int(count), "outputs": list(outputs)} if index == self._current:
                self.notebook.cells[index].update(as_run(count, outputs))
                self.finished.add(index)
            case _:
                raise ValueError(f"no message of the worker: {str(message)[:80]}")


def _message(line: bytes) -> Any:
    """What a line says.

    Raises:
        ValueError: not JSON, or something that no file can hold (a lone surrogate, a number that is none).
    """
    message = json.loads(line)
    json.dumps(message, ensure_ascii=False, allow_nan=False).encode()
    return message


def as_run(count: int, outputs: list[Any]) -> NotebookNode:
    """What a cell keeps of its run.

    Raises:
        ValueError, TypeError, nbformat.ValidationError: a notebook cannot keep it.
    """
    ran: NotebookNode = from_dict({"execution_count": count, "outputs": outputs})
    if outputs:
        nbformat.validate(new_notebook(cells=[NotebookNode(EMPTY_CELL | ran)]))
    return ran


def code_cells(notebook: NotebookNode) -> list[int]:
    """Positions of the cells to run."""
    code = (i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code" and cell.source.strip())
    return sorted(set(code) - measurements(notebook))


def _label(notebook: NotebookNode, index: int) -> str:
    managed = notebook.cells[index].metadata.get("nbgrader", {})
    return f"'{managed['grade_id']}'" if managed.get("grade_id") else f"number {index + 1}"


def _mark_failed(notebook: NotebookNode, index: int, words: str, finished: set[int]) -> None:
    """Give the stopped cell its error, and the cells after it one that holds until another attempt runs them."""
    for later in {index, *code_cells(notebook)} - (finished - {index}):
        text = f"This cell {words}." if later == index else "This cell was not run: earlier ones used up the limits."
        error = {"output_type": "error", "ename": STOPPED, "evalue": text, "traceback": [text]}
        notebook.cells[later].outputs = [from_dict(error)]
