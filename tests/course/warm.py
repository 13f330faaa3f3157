"""A runner for many notebooks that begin alike: what they share runs once, and a process is forked where they part.

`start_from` runs a module's solution and leaves a waiting copy of the process before each answer. A notebook with
another answer then runs from there to its end. The cells run in the worker that grading uses. There is no limit but one
on time: these are our own answers.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from nbformat.notebooknode import NotebookNode, from_dict

if TYPE_CHECKING:
    from tito.engine.runner import Execution, Limits


class WarmRunner:
    """Has `run` as `SubprocessRunner` has it; use it as a context manager."""

    def __enter__(self) -> "WarmRunner":
        from tito.engine import process  # not above: the process that forks must leave `tito` to each notebook's stack

        settings = {
            "PYTHONPATH": os.pathsep.join(map(str, (process.WORKER.parent, process.WORKER.parents[2]))),
            "PYTHONHASHSEED": "0",
            "OPENBLAS_NUM_THREADS": "1",
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        }
        self._folder = Path(tempfile.mkdtemp())
        self._shared: list[NotebookNode] = []  # the cells of the notebook that was started from, as they ran
        self._waiting: dict[int, int] = {}  # number of a cell -> pipe to the process that waits before it
        self._stack: Path | None = None
        start = self._pipe("start")
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-B", __file__, str(self._folder / "start")],
            stdout=subprocess.PIPE,
            env=os.environ | settings,
        )
        self._start = start
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()
        os.close(self._start)
        self._process.wait(timeout=60)
        self._process.stdout.close()
        shutil.rmtree(self._folder)

    def start_from(self, notebook: NotebookNode, stack: Path, limits: "Limits") -> None:
        """Run `notebook` once for all that begin with the same cells, until another one takes its place."""
        if stack == self._stack:
            return
        self._leave()
        answers = [i for i, cell in enumerate(notebook.cells) if is_answer(cell)]
        pipes = {i: self._pipe(str(i)) for i in answers}
        self._run(self._start, notebook, 0, stack, limits, answers)
        self._shared, self._waiting, self._stack = notebook.cells, pipes, stack

    def run(self, notebook: NotebookNode, stack: Path, limits: "Limits") -> "Execution":
        """Run every code cell of `notebook`, changed in place.

        Raises:
            RuntimeError: a cell ended the process, or the time was up.
        """
        from tito.engine.runner import Execution

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
        limits: "Limits",
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
                "stack": str(stack),
                "folder": folder,
            }
            os.write(pipe, json.dumps(job).encode() + b"\n")
            started = None
            while "ended" not in (message := json.loads(self._process.stdout.readline())):
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


def is_answer(cell: NotebookNode) -> bool:
    """Whether the student writes code here."""
    return cell.cell_type == "code" and bool(cell.metadata.get("nbgrader", {}).get("solution"))


class Server:
    """One process: waits at a named pipe for jobs and forks for each, so that its own state stays as it is."""

    def __init__(self, answers) -> None:
        self.answers, self.session, self.count = answers, None, 0

    def serve(self, pipe: str) -> None:
        """Take jobs until the pipe is closed. A job finds a copy of the files that the cells before it wrote."""
        with open(pipe, encoding="utf-8") as jobs, tempfile.TemporaryDirectory() as files:
            if self.session:
                shutil.copytree(".", files, dirs_exist_ok=True)
            for line in jobs:
                job = json.loads(line)
                child = os.fork()
                if child == 0:
                    shutil.copytree(files, job["folder"], dirs_exist_ok=True)
                    os.chdir(job["folder"])
                    self.run(job)
                    os._exit(0)
                status = os.waitpid(child, 0)[1]
                self.answers.write(json.dumps({"ended": status}).encode() + b"\n")
                self.answers.flush()

    def run(self, job: dict) -> None:
        """Run the job's cells."""
        import worker

        signal.alarm(job["seconds"])  # its default action ends the process
        if self.session is None:
            sys.path.insert(0, job["stack"])
            self.session = worker.Session(job["output"], self.answers)
        for cell in job["cells"]:
            if cell["pipe"] and os.fork() == 0:
                signal.alarm(0)
                self.serve(cell["pipe"])
                os._exit(0)
            self.count += 1
            self.session.run(self.count, cell)


def main() -> None:
    """Load what every page imports, then wait for work."""
    import matplotlib.pyplot  # noqa: F401  (loaded once, for every fork)
    import numpy  # noqa: F401
    import stack_data  # noqa: F401  (what IPython writes tracebacks with)
    import worker  # noqa: F401

    answers = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(nothing, descriptor)
    Server(answers).serve(sys.argv[1])


if __name__ == "__main__":
    main()
