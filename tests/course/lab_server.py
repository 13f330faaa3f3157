"""`tito lab` in a student's kit and Formgrader in a course, as processes of their own that open no browser."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tito.course import Course
from tito.registry import Module

ROOT = Path(__file__).parents[2]
PATIENCE = 90  # seconds: a server may start slowly on a busy machine


@contextmanager
def tito_lab(kit: Course, module: Module, home: Path) -> Iterator[dict[str, str]]:
    """Run `tito lab NN` in a kit with a home of its own; give what the server says of itself when it is ready."""
    with _running(kit, ["tito", "lab", f"{module.number:02d}"], home) as facts:
        yield facts


@contextmanager
def formgrader(course: Course, home: Path) -> Iterator[dict[str, str]]:
    """Run a Jupyter server with nbgrader's Formgrader in a course, as `tito_lab`, for whoever comes."""
    options = ["--no-browser", "--allow-root", "--port-retries=50", "--IdentityProvider.token="]
    with _running(course, ["jupyter_server", *options], home) as facts:
        yield facts


@contextmanager
def _running(course: Course, module: list[str], home: Path) -> Iterator[dict[str, str]]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "NBGRADER", "IPYTHON"))}
    runtime = home / "runtime"
    own |= {
        "BROWSER": f"{sys.executable} -c pass",
        "HOME": str(home),
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(course.root), str(ROOT)]),
    }
    with open(home / "server.log", "w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", *module], cwd=course.root, env=own, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield _facts(server, runtime, home / "server.log")
    finally:
        server.terminate()
        server.wait(timeout=60)


def _facts(server: subprocess.Popen, runtime: Path, log: Path) -> dict[str, str]:
    """Wait for the file in which a server that is ready says where it is."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and server.poll() is None:
        for file in runtime.glob("jpserver-*.json"):
            facts = json.loads(file.read_text() or "{}")
            if facts:
                return facts
        time.sleep(0.2)
    raise RuntimeError(f"The server did not start:\n{log.read_text()}")
