"""The process behind `warm.py`: `python warm_worker.py PIPE`. It imports nothing of tito, which belongs to each stack.

It loads what every page imports, waits at a named pipe for jobs and forks for each, so that its own state stays as it
is. A fork leaves waiting copies of itself before the cells that the job names.
"""

import json
import os
import resource
import shutil
import signal
import sys
import tempfile
from typing import Any, BinaryIO

from worker import Session  # type: ignore[import-not-found]  # beside this file, which is on the path


class Place:
    """A process at some place of a notebook: what stands above has run in it."""

    def __init__(self, answers: BinaryIO) -> None:
        self.answers, self.count = answers, 0
        self.session: Any = None

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

    def run(self, job: dict[str, Any]) -> None:
        """Run the job's cells, and leave a copy of the process waiting before each that has a pipe."""
        signal.alarm(job["seconds"])  # its default action ends the process
        resource.setrlimit(resource.RLIMIT_AS, (job["memory"], job["memory"]))
        if self.session is None:
            sys.path.insert(0, job["stack"])
            self.session = Session(job["output"], self.answers)
        for cell in job["cells"]:
            if cell["pipe"] and os.fork() == 0:
                signal.alarm(0)
                self.serve(cell["pipe"])
                os._exit(0)
            self.count += 1
            self.session.run(self.count, cell)


def main() -> None:
    """Load what every page imports, then wait for jobs."""
    import matplotlib.pyplot  # noqa: F401  (loaded once, for every fork)
    import numpy  # noqa: F401
    import stack_data  # noqa: F401  (what IPython writes tracebacks with)

    answers = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(nothing, descriptor)
    Place(answers).serve(sys.argv[1])


if __name__ == "__main__":
    main()
