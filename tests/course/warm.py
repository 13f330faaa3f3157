"""A runner for many small runs: one process loads NumPy, Matplotlib and IPython, and forks for every notebook.

A variant of an answer takes a fraction of a second this way, against one and a half seconds in a process of its own.
The cells run in the worker that grading uses. There is no limit but one on time: these are our own answers.
"""

import json
import os
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
    """Has the same interface as `SubprocessRunner`; use it as a context manager."""

    def __enter__(self) -> "WarmRunner":
        from tito.engine import process  # not above: the process that forks must leave `tito` to each notebook's stack

        settings = {
            "PYTHONPATH": os.pathsep.join(map(str, (process.WORKER.parent, process.WORKER.parents[2]))),
            "PYTHONHASHSEED": "0",
            "OPENBLAS_NUM_THREADS": "1",
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-B", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | settings,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._process.stdout.close()

    def run(self, notebook: NotebookNode, stack: Path, limits: "Limits") -> "Execution":
        """Run every code cell of `notebook`, changed in place.

        Raises:
            RuntimeError: a cell ended the process, or the time was up.
        """
        from tito.engine.runner import Execution

        cells = [i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code" and cell.source.strip()]
        with tempfile.TemporaryDirectory() as folder:
            job = {
                "cells": [{"index": i, "source": notebook.cells[i].source} for i in cells],
                "output": limits.output_chars,
                "seconds": int(limits.total_seconds),
                "stack": str(stack),
                "folder": folder,
            }
            self._process.stdin.write(json.dumps(job).encode() + b"\n")
            self._process.stdin.flush()
            started = None
            while True:
                message = json.loads(self._process.stdout.readline())
                if "ended" in message:
                    break
                started = message.get("start", started)
                if "done" in message:
                    cell = notebook.cells[message["done"]]
                    cell.outputs = [from_dict(output) for output in message["outputs"]]
                    cell.execution_count = message["count"]
        if message["ended"]:
            raise RuntimeError(f"cell {notebook.cells[started].id} ended the process (status {message['ended']})")
        return Execution(notebook)


def serve() -> None:
    """Take jobs from standard input until it is closed."""
    import matplotlib.pyplot  # noqa: F401  (loaded once, for every fork)
    import numpy  # noqa: F401
    import stack_data  # noqa: F401  (what IPython writes tracebacks with)
    import worker

    answers = os.fdopen(os.dup(1), "wb")
    jobs = os.fdopen(os.dup(0), "rb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(nothing, descriptor)
    for line in jobs:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            signal.alarm(job["seconds"])  # its default action ends the process
            sys.path.insert(0, job["stack"])
            os.chdir(job["folder"])
            worker.run_cells(job, answers)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        answers.write(json.dumps({"ended": status}).encode() + b"\n")
        answers.flush()


if __name__ == "__main__":
    serve()
