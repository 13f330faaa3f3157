"""A runner for many notebooks that begin alike: what they share runs once, and a process is forked where they part.

`start_from` runs a module's solution and leaves a waiting copy of the process before each answer. A notebook with
another answer then runs from there to its end. The cells run in the worker that grading uses. There are no limits but
those on time and memory: these are our own answers.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from nbformat.notebooknode import NotebookNode, from_dict

from tito.engine.cells import is_answer
from tito.engine.runner import Execution, Limits, SubprocessRunner

WORKER = Path(__file__).with_name("warm_worker.py")


class ColdRunner(SubprocessRunner):
    """For systems that cannot fork: every notebook runs from its beginning."""

    def __enter__(self) -> "ColdRunner":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left to end."""

    def start_from(self, notebook: NotebookNode, stack: Path, limits: Limits) -> None:
        """Nothing is shared."""


def warm_runner() -> "WarmRunner | ColdRunner":
    """The quickest runner for many notebooks that this system has, as a context manager."""
    return WarmRunner() if sys.platform == "linux" else ColdRunner()


class WarmRunner:
    """Has `run` as `SubprocessRunner` has it; use it as a context manager."""

    def __enter__(self) -> "WarmRunner":
        settings = {
            "PYTHONPATH": os.pathsep.join(map(str, (WORKER.parent, WORKER.parents[2]))),
            "PYTHONHASHSEED": "0",
            "OPENBLAS_NUM_THREADS": "1",
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        }
        self._folder = Path(tempfile.mkdtemp())
        self._shared: list[NotebookNode] = []  # the cells of the notebook that was started from, as they ran
        self._waiting: dict[int, int] = {}  # number of a cell -> pipe to the process that waits before it
        self._stack: Path | None = None
        self._start = self._pipe("start")
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-B", str(WORKER), str(self._folder / "start")],
            stdout=subprocess.PIPE,
            env=os.environ | settings,
        )
        assert self._process.stdout is not None
        self._answers = self._process.stdout
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()
        os.close(self._start)
        self._process.wait(timeout=60)
        self._answers.close()
        shutil.rmtree(self._folder)

    def start_from(self, notebook: NotebookNode, stack: Path, limits: Limits) -> None:
        """Run `notebook` once for all that begin with the same cells, until another one takes its place."""
        if stack == self._stack:
            return
        self._leave()
        answers = [i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code" and is_answer(cell)]
        pipes = {i: self._pipe(str(i)) for i in answers}
        self._run(self._start, notebook, 0, stack, limits, answers)
        self._shared, self._waiting, self._stack = notebook.cells, pipes, stack

    def run(self, notebook: NotebookNode, stack: Path, limits: Limits) -> Execution:
        """Run every code cell of `notebook`, changed in place.

        Raises:
            RuntimeError: a cell ended the process, or the time was up.
        """
        first = self._first_difference(notebook) if stack == self._stack else 0
        place = max((i for i in self._waiting if i <= first), default=0)
        for i in range(place):
            notebook.cells[i] = self._shared[i].copy()
        self._run(self._waiting.get(place, self._start), notebook, place, stack, limits)
        return Execution(notebook)

    def _first_difference(self, notebook: NotebookNode) -> int:
        pairs = zip(notebook.cells, self._shared, strict=True)
        return next((i for i, (one, other) in enumerate(pairs) if one.source != other.source), len(self._shared) - 1)

    def _run(
        self,
        pipe: int,
        notebook: NotebookNode,
        place: int,
        stack: Path,
        limits: Limits,
        waits: list[int] | None = None,
    ) -> None:
        """Let the process behind `pipe` run the cells from number `place` on and leave copies before some of them."""
        cells = [
            {"index": i, "source": cell.source, "pipe": str(self._folder / str(i)) if i in (waits or ()) else ""}
            for i, cell in enumerate(notebook.cells)
            if i >= place and cell.cell_type == "code" and cell.source.strip()
        ]
        with tempfile.TemporaryDirectory() as folder:
            job = {
                "cells": cells,
                "output": limits.output_chars,
                "seconds": int(limits.total_seconds),
                "memory": limits.memory_bytes,
                "stack": str(stack),
                "folder": folder,
            }
            os.write(pipe, json.dumps(job).encode() + b"\n")
            started = 0
            while "ended" not in (message := json.loads(self._answers.readline())):
                started = message.get("start", started)
                if "done" in message:
                    cell = notebook.cells[message["done"]]
                    cell.outputs = [from_dict(output) for output in message["outputs"]]
                    cell.execution_count = message["count"]
        if message["ended"]:
            raise RuntimeError(f"cell {notebook.cells[started].id} ended the process (status {message['ended']})")

    def _pipe(self, name: str) -> int:
        """A named pipe, open at both ends here, so that its reader meets the end of it only when we close it."""
        path = self._folder / name
        os.mkfifo(path)
        return os.open(path, os.O_RDWR)

    def _leave(self) -> None:
        """End the processes that wait."""
        for number, pipe in self._waiting.items():
            os.close(pipe)
            (self._folder / str(number)).unlink()
        self._waiting, self._stack = {}, None
