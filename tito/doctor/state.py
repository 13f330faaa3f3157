"""Look at everything that can be wrong around the course: Python, packages, PATH, BLAS, folders, the course's state."""

import ctypes
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tito.course import Course
from tito.errors import CourseError
from tito.registry import MODULES

OLDEST_PYTHON = (3, 11)
PROGRAMS = ("jupyter", "alembic")  # nbgrader starts alembic by its bare name
LONGEST_IMPORT = 60  # seconds


@dataclass(frozen=True)
class Check:
    """One line of the doctor: what was looked at, what was found, and the cure when that is a problem."""

    name: str
    found: str
    cure: str = ""

    @property
    def ok(self) -> bool:
        """Whether there is nothing to cure."""
        return not self.cure


def examine(course: Course | None) -> Iterator[Check]:
    """Yield every check; without a course only those of the machine."""
    yield check_python(sys.version_info[:3])
    yield from (check_program(name, os.environ.get("PATH", "")) for name in PROGRAMS)
    yield check_blas()
    if course is None:
        yield Check("course", "this folder is in no course and no kit", "change into the folder you cloned or unzipped")
        return
    for pins in sorted((course.root / "requirements").glob("*.txt")):
        yield check_pins(pins)
    yield check_writable(course)
    yield from check_notebooks(course)
    yield check_package(course)
    yield check_import(course)


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


def check_pins(pins: Path) -> Check:
    """Are the installed packages those that a requirements file pins?"""
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
    cure = f"pip install -r requirements/{pins.name}" if wrong else ""
    return Check(f"requirements/{pins.name}", "; ".join(wrong[:3]) + more or f"{count} packages as pinned", cure)


def check_blas() -> Check:
    """Which linear algebra library does NumPy use, with how many threads?"""
    try:
        import numpy as np
    except ImportError:
        return Check("BLAS", "NumPy does not load", "pip install -r requirements/student.txt")
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    threads = _openblas_threads(Path(np.__file__).parent) or os.environ.get("OMP_NUM_THREADS", "default")
    return Check("BLAS", f"{blas.get('name')} {blas.get('version', '')}, threads: {threads}, cores: {os.cpu_count()}")


def check_writable(course: Course) -> Check:
    """Can the course's folders be written?"""
    folders = (
        course.root,
        course.package,
        course.source,
        course.release,
        course.autograded,
        course.feedback,
        course.state,
    )
    for folder in folders:
        if folder.is_dir():
            try:
                tempfile.TemporaryFile(dir=folder).close()
            except OSError as error:
                return Check("folders", f"{folder}: {error.strerror}", "make it writable, or free some space")
    return Check("folders", f"{course.root} can be written")


def check_notebooks(course: Course) -> Iterator[Check]:
    """Are the notebooks in source/ built from the teaching sources as they are?"""
    if course.is_kit:
        return
    from tito.sources.build import notebook_text

    stale = []
    try:
        for module in MODULES:
            path = course.built(module)
            if not path.is_file() or path.read_text(encoding="utf-8") != notebook_text(course, module):
                stale.append(f"{module.number:02d}")
    except CourseError as error:
        yield Check("notebooks", error.problem, error.cure or "run tito lint")
        return
    found = f"{len(MODULES)} notebooks are up to date"
    yield Check("notebooks", f"not up to date: {', '.join(stale)}" if stale else found, "tito build" if stale else "")


def check_package(course: Course) -> Check:
    """Is the package what its sources say?"""
    from tito.sources.export import drift
    from tito.student.export import package_files
    from tito.student.work import written_modules

    there = written_modules(course)
    try:
        different = drift(course, package_files(course, there))
    except CourseError as error:
        return Check("package", error.problem, error.cure or "run tito lint")
    found = f"{len(there)} of {len(MODULES)} modules are there and exported"
    return Check(
        "package", f"not as exported: {', '.join(different)}" if different else found, "tito export" * bool(different)
    )


def check_import(course: Course) -> Check:
    """Does `import tinytorch` work, without a warning?"""
    environment = os.environ | {"PYTHONPATH": str(course.root)}
    command = [sys.executable, "-c", "import tinytorch"]
    try:
        done = subprocess.run(
            command, cwd=course.root, env=environment, capture_output=True, text=True, timeout=LONGEST_IMPORT
        )
    except subprocess.TimeoutExpired:
        return Check(
            "import tinytorch", f"takes more than {LONGEST_IMPORT} seconds", "look for a loop outside a function"
        )
    said = done.stderr.strip().splitlines()
    cure = "put the cell right, then run tito export" if done.returncode or said else ""
    message = next((line for line in said if "Warning:" in line), said[-1] if said else "works")
    return Check("import tinytorch", message, cure)


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
