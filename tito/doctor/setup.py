"""The set-up: Python, the packages, PATH, BLAS. Standard library only, as nothing may be installed yet."""

import ctypes
import importlib.metadata
import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from tito.course import Course
from tito.doctor.check import Check

OLDEST_PYTHON = (3, 11)
PROGRAMS = ("jupyter", "alembic")  # nbgrader starts alembic by its bare name
NEEDED = ("packaging", "rich", "typer", "nbformat", "numpy")  # without these tito and the notebooks cannot start


def examine_setup(course: Course | None) -> Iterator[Check]:
    """Yield the checks of the machine, and of the packages that the course pins."""
    yield check_python(sys.version_info[:3])
    if not is_installed():
        yield Check("packages", "not installed in this Python yet", installing(course))
        return
    if course is None or not course.is_kit:  # a kit's commands start no program by its bare name
        yield from (check_program(name, os.environ.get("PATH", "")) for name in PROGRAMS)
    yield check_blas()
    if course is not None:
        yield check_pins(pins_of(course), installing(course))


def pins_of(course: Course) -> Path:
    """The file that pins what is needed here."""
    return course.root / "requirements" / ("student.txt" if course.is_kit else "course.txt")


def installing(course: Course | None) -> str:
    """How the packages get onto this machine."""
    if course is None or course.is_kit:
        return "run start.py in your kit, then activate its environment"
    return "python -m pip install -r requirements/course.txt -e ."


def is_installed() -> bool:
    """Whether the packages are there without which nothing else can be looked at."""
    return all(importlib.util.find_spec(name) for name in NEEDED)


def check_python(version: tuple[int, ...]) -> Check:
    """Is Python new enough?"""
    found = ".".join(map(str, version))
    wanted = ".".join(map(str, OLDEST_PYTHON))
    return Check("Python", found, "" if version >= OLDEST_PYTHON else f"install Python {wanted} or newer")


def check_program(name: str, path: str) -> Check:
    """Does `path` lead to the program of this Python's own environment?"""
    folder = str(Path(sys.executable).parent)
    own, first = shutil.which(name, path=folder), shutil.which(name, path=path)
    if own is None:
        return Check(name, "not part of this environment; only instructors and notebooks need it")
    if first is not None and Path(first) == Path(own):
        return Check(name, own)
    activate = r".venv\Scripts\activate" if os.name == "nt" else ". .venv/bin/activate"
    return Check(name, f"PATH leads to {first or 'none'}, not to {own}", f"activate the environment: {activate}")


def check_pins(pins: Path, cure: str) -> Check:
    """Are the installed packages those that a requirements file pins?"""
    if not pins.is_file():
        return Check(f"requirements/{pins.name}", "the file is missing", "restore it")
    wrong, count = [], 0
    for line in pins.read_text(encoding="utf-8").splitlines():
        requirement, _, marker = line.partition("#")[0].partition(";")
        name, _, version = (part.strip() for part in requirement.partition("=="))
        if not version or (marker and not _applies(marker)):
            continue
        count += 1
        try:
            have = importlib.metadata.version(name.partition("[")[0])
        except importlib.metadata.PackageNotFoundError:
            have = "missing"
        if have.partition("+")[0] != version.partition("+")[0]:  # "2.13.0+cpu" is version 2.13.0
            wrong.append(f"{name} is {have}, pinned {version}")
    more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
    found = "; ".join(wrong[:3]) + more or f"{count} packages as pinned"
    return Check(f"requirements/{pins.name}", found, cure if wrong else "")


def check_blas() -> Check:
    """Which linear algebra library does NumPy use, with how many threads?"""
    try:
        import numpy as np
    except ImportError:
        return Check("BLAS", "NumPy does not load", "install the packages again")
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    threads = _openblas_threads(Path(np.__file__).parent) or os.environ.get("OMP_NUM_THREADS", "default")
    return Check("BLAS", f"{blas.get('name')} {blas.get('version', '')}, threads: {threads}, cores: {os.cpu_count()}")


def _applies(marker: str) -> bool:
    from packaging.markers import Marker

    return Marker(marker).evaluate()


def _openblas_threads(numpy_folder: Path) -> int | None:
    """Ask the OpenBLAS inside NumPy's wheel how many threads it uses."""
    folders = (numpy_folder.parent / "numpy.libs", numpy_folder / ".dylibs")
    for library in (file for folder in folders for file in sorted(folder.glob("*openblas*"))):
        loaded = ctypes.CDLL(str(library))
        for name in ("scipy_openblas_get_num_threads64_", "scipy_openblas_get_num_threads", "openblas_get_num_threads"):
            if hasattr(loaded, name):
                return int(getattr(loaded, name)())
    return None
