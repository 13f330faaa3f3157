"""Import new package files in a process of its own, before they replace those in the package."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tito.course import COURSE_NAME
from tito.sources.export import write_files

LONGEST_IMPORT = 60  # seconds
IMPORT = """
import importlib, json, os, sys, traceback
report = os.fdopen(os.dup(1), "w")
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except BaseException as error:
        places = [(frame.filename, frame.lineno or 0) for frame in traceback.extract_tb(error.__traceback__)]
        print(json.dumps([type(error).__name__, str(error), places]), file=report, flush=True)
        os._exit(1)
"""  # what the cells print goes nowhere


@dataclass(frozen=True)
class Failure:
    """Why an import failed.

    kind:    the exception's name.
    message: its text.
    places:  (path inside the package, line) of the code that was running, outermost first.
    """

    kind: str
    message: str
    places: tuple[tuple[str, int], ...] = ()


def try_import(package: Path, files: Mapping[str, str], parts: Sequence[str]) -> Failure | None:
    """Import parts of the package as it would be with new files.

    Args:
        package: the package folder; it is not changed.
        files: path inside the package -> new text.
        parts: what to import, such as "core.tensor".

    Returns:
        What went wrong first, or None.
    """
    with tempfile.TemporaryDirectory(prefix="tito-", ignore_cleanup_errors=True) as folder:
        copy = Path(folder).resolve() / COURSE_NAME
        if package.is_dir():
            shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
        write_files(copy, files)
        names = [f"{COURSE_NAME}.{part}" for part in parts]
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-B", "-W", "ignore", "-c", IMPORT, *names],
                cwd=folder,
                env=os.environ | {"PYTHONPATH": str(copy.parent), "OPENBLAS_NUM_THREADS": "1", "PYTHONUTF8": "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=LONGEST_IMPORT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Failure("TimeoutError", f"it runs for more than {LONGEST_IMPORT} seconds")
        return _failure(done.stdout, copy) if done.returncode else None


def _failure(output: bytes, copy: Path) -> Failure:
    try:
        kind, message, frames = json.loads(output)
    except ValueError:
        return Failure("SystemExit", "it ends Python")
    inside = [(Path(name), line) for name, line in frames if Path(name).is_relative_to(copy)]
    places = tuple((path.relative_to(copy).as_posix(), line) for path, line in inside)
    return Failure(kind, message.replace(f"{copy.parent}{os.sep}", ""), places)
