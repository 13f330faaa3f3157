"""Run a notebook's cells where a bad cell can do no harm to the rest.

`Runner` is the interface; `SubprocessRunner` keeps student code in a process of its own with limits for time, memory
and output. It protects from accidents, not from malice.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from nbformat.notebooknode import NotebookNode, from_dict

WORKER = Path(__file__).with_name("worker.py")


@dataclass(frozen=True)
class Limits:
    """What one submission may use.

    cell_seconds:  wall time of one cell.
    total_seconds: wall time of the whole notebook, restarts included.
    memory_bytes:  address space of the process (not enforced by macOS and Windows).
    output_chars:  printed text kept of one cell.
    restarts:      how often the notebook is run again after a cell that had to be killed.
    """

    cell_seconds: float = 30
    total_seconds: float = 150
    memory_bytes: int = 4 << 30
    output_chars: int = 50_000
    restarts: int = 5


@dataclass(frozen=True)
class Execution:
    """A notebook after its run.

    notebook: with outputs.
    status:   "graded", "timed out" or "crashed".
    remarks:  which cells were stopped and why, one sentence each.
    """

    notebook: NotebookNode
    status: str
    remarks: tuple[str, ...]


class Runner(Protocol):
    """Anything that can run a notebook."""

    def run(self, notebook: NotebookNode, stack: Path, limits: Limits) -> Execution:
        """Run every code cell; `stack` is the folder from which the cells import `tinytorch` and `tito`."""
        ...


class SubprocessRunner:
    """Runs each notebook in one process of its own; a killed cell costs only itself.

    Args:
        scratch: where the working folders of the processes are made and removed; the system's place by default.
    """

    def __init__(self, scratch: Path | None = None) -> None:
        self.scratch = scratch

    def run(self, notebook: NotebookNode, stack: Path, limits: Limits) -> Execution:
        """Run every code cell of `notebook` (changed in place: its outputs are filled in).

        A cell that exceeds its time or ends the process is given an error, and the notebook runs again in a fresh
        process without it, so that the other cells still count.
        """
        end = time.monotonic() + limits.total_seconds
        stopped: set[int] = set()
        status, remarks = "graded", []
        for _ in range(limits.restarts + 1):
            with tempfile.TemporaryDirectory(prefix="tito-", dir=self.scratch, ignore_cleanup_errors=True) as folder:
                attempt = _Attempt(notebook, stack, limits, Path(folder), end)
                attempt.run(stopped)
            if attempt.failed is None:
                break
            index, reason = attempt.failed
            if status == "graded" or "seconds" in reason:
                status = "timed out" if "seconds" in reason else "crashed"
            remarks.append(f"Cell {_label(notebook, index)} {reason}; the other cells were still run.")
            stopped.add(index)
            _mark_failed(notebook, index, reason, attempt.finished | stopped)
            if time.monotonic() >= end:
                break
        if attempt.failed is not None:
            remarks[-1] = remarks[-1].replace("the other cells were still run", "the cells after it were not run")
        return Execution(notebook, status, tuple(remarks))


class _Attempt:
    """One process that runs the notebook from its first cell."""

    def __init__(self, notebook: NotebookNode, stack: Path, limits: Limits, folder: Path, end: float) -> None:
        self.notebook, self.limits, self.end = notebook, limits, end
        self.finished: set[int] = set()
        self.failed: tuple[int, str] | None = None
        self._current = _code_cells(notebook)[0] if _code_cells(notebook) else 0
        self._answers: queue.Queue[bytes] = queue.Queue(maxsize=4)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-B", str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=_environment(stack, folder),
            start_new_session=True,
        )

    def run(self, stopped: set[int]) -> None:
        """Send the cells, take their outputs, and leave no process behind."""
        reader = threading.Thread(target=self._read, daemon=True)
        reader.start()
        try:
            self._send(self._job(stopped))
            self._follow()
        finally:
            _kill(self._process)
            while reader.is_alive():  # it may wait for room in the queue
                self._drain()
                reader.join(0.05)
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe:
                    _close(pipe)

    def _job(self, stopped: set[int]) -> bytes:
        sources = {i: self.notebook.cells[i].source for i in _code_cells(self.notebook) if i not in stopped}
        self.finished |= stopped
        job = {
            "cells": [{"index": index, "source": source} for index, source in sources.items()],
            "memory": self.limits.memory_bytes,
            "cpu": int(self.limits.total_seconds) + 5,
            "file": 64 << 20,
            "output": self.limits.output_chars,
        }
        return json.dumps(job).encode() + b"\n"

    def _send(self, data: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(data)
            self._process.stdin.flush()  # stays open: its end tells the worker that we are gone
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
        deadline = min(self.end, time.monotonic() + self.limits.cell_seconds + 30)  # starting Python counts here
        while True:
            try:
                line = self._answers.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                whole = deadline == self.end
                seconds = self.limits.total_seconds if whole else self.limits.cell_seconds
                kind = "all cells together" if whole else "one cell"
                self.failed = (self._current, f"was stopped: {kind} may take {seconds:g} seconds")
                return
            message = _message(line)
            if message is None:
                left = set(_code_cells(self.notebook)) - self.finished
                self.failed = (self._current, "ended the Python process") if left else None
                return
            if "start" in message:
                self._current = message["start"]
                deadline = min(self.end, time.monotonic() + self.limits.cell_seconds)
            elif "done" in message:
                cell = self.notebook.cells[message["done"]]
                cell.outputs = [from_dict(output) for output in message["outputs"]]
                cell.execution_count = message["count"]
                self.finished.add(message["done"])


def _message(line: bytes) -> dict[str, Any] | None:
    """The worker's answer, or None when it is gone or does not speak the protocol."""
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None


def _code_cells(notebook: NotebookNode) -> list[int]:
    return [i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code" and cell.source.strip()]


def _label(notebook: NotebookNode, index: int) -> str:
    managed = notebook.cells[index].metadata.get("nbgrader", {})
    return f"'{managed['grade_id']}'" if managed.get("grade_id") else f"number {index + 1}"


def _mark_failed(notebook: NotebookNode, index: int, reason: str, finished: set[int]) -> None:
    """Give the stopped cell its error, and the cells after it one that holds until another attempt runs them."""
    for later in {index, *_code_cells(notebook)} - (finished - {index}):
        text = f"This cell {reason}." if later == index else "This cell was not run: earlier ones used up the limits."
        error = {"output_type": "error", "ename": "Stopped", "evalue": text, "traceback": [text]}
        notebook.cells[later].outputs = [from_dict(error)]


def _environment(stack: Path, folder: Path) -> dict[str, str]:
    """Nothing of the user's own settings; the environment's programs first; one thread; figures without a screen."""
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    kept = {name: os.environ[name] for name in ("SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT") if name in os.environ}
    own = dict.fromkeys(("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP", "IPYTHONDIR", "MPLCONFIGDIR"), str(folder))
    jupyter = {f"JUPYTER_{kind}_DIR": str(folder) for kind in ("CONFIG", "DATA", "RUNTIME")}
    return {
        **kept,
        **own,
        **jupyter,
        "PATH": programs,
        "PYTHONPATH": str(stack),
        "PYTHONNOUSERSITE": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONUTF8": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "NBGRADER_EXECUTION": "autograde",
        "LANG": "C.UTF-8",
    }


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """End the process and everything that it started in its group."""
    try:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    except (ProcessLookupError, PermissionError):
        process.kill()
    process.wait()


def _close(pipe: Any) -> None:
    try:
        pipe.close()
    except BrokenPipeError:
        return  # unsent data of a process that is gone
