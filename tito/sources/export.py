"""Collect `#| export` cells into the `tinytorch` package: all of them or, when one is bad, none."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path

from tito.course import Course
from tito.files import write_atomic
from tito.registry import MODULES, Module
from tito.sources.cells import read_cells
from tito.sources.facade import facade_files
from tito.sources.package_file import package_file


def export(course: Course, modules: Sequence[Module], package: Path | None = None) -> list[Path]:
    """Write the package files of `modules`, and the facades, once all of them are known to be good.

    Args:
        course: where the sources are.
        modules: what to export.
        package: the package folder to write; the course's `tinytorch` by default.

    Returns:
        The files that changed.

    Raises:
        CourseError: a cell cannot be exported; then nothing is written.
    """
    return write_files(package or course.package, exported_files(course, modules))


def write_files(folder: Path, files: Mapping[str, str]) -> list[Path]:
    """Write path inside `folder` -> text, and return the files that changed."""
    changed = []
    for relative, text in files.items():
        path = folder / relative
        if not path.is_file() or path.read_bytes() != text.encode():
            write_atomic(path, text)
            changed.append(path)
    return changed


def exported_files(course: Course, modules: Sequence[Module]) -> dict[str, str]:
    """Return what `export` writes: path inside the package -> text; first the facades, then the modules.

    Raises:
        CourseError: a cell cannot be exported.
    """
    files = facade_files(MODULES)
    for module in modules:
        cells = read_cells(course.teaching_source(module))
        files[inside_package(module)] = package_file(cells, module, module.source).text
    return files


def drift(course: Course, files: Mapping[str, str]) -> dict[str, str]:
    """Compare the package with `files`, which an export would write.

    Returns:
        Path in the course -> a diff or a sentence, for every file that differs, is missing, or comes from no source.
    """
    found = {}
    for relative, text in files.items():
        path = course.package / relative
        name = path.relative_to(course.root).as_posix()
        if not path.is_file():
            found[name] = f"{name} is missing"
        elif path.read_bytes() != text.encode():
            found[name] = _diff(path.read_text(encoding="utf-8", errors="replace"), text, name)
    known = {*facade_files(MODULES), *map(inside_package, MODULES)}
    for path in sorted(course.package.rglob("*")):
        relative = path.relative_to(course.package).as_posix()
        if path.is_file() and "__pycache__" not in path.parts and relative not in known:
            name = path.relative_to(course.root).as_posix()
            found[name] = f"{name} comes from no module of the registry"
    return found


def inside_package(module: Module) -> str:
    """The module's path inside the package folder."""
    return module.target.removeprefix("tinytorch/")


def _diff(have: str, want: str, name: str) -> str:
    lines = difflib.unified_diff(have.splitlines(), want.splitlines(), name, f"{name} as exported", lineterm="")
    return "\n".join(lines) or f"{name} differs in its line endings"
