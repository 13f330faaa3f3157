"""Collect `#| export` cells into the `tinytorch` package: all of them or, when one is bad, none."""

import difflib
from collections.abc import Sequence
from pathlib import Path

from tito.course import Course
from tito.errors import CourseError
from tito.files import write_atomic
from tito.registry import MODULES, Module
from tito.sources.cells import read_cells
from tito.sources.facade import facade_files
from tito.sources.package_file import package_file


def export(
    course: Course, modules: Sequence[Module], notebook: Path | None = None, package: Path | None = None
) -> list[Path]:
    """Write the package files of `modules`, and the facades, once all of them are known to be good.

    Args:
        course: where the sources are.
        modules: what to export.
        notebook: read this notebook instead of the source of the one module.
        package: the package folder to write; the course's `tinytorch` by default.

    Returns:
        The files that changed.

    Raises:
        CourseError: a cell cannot be exported; then nothing is written.
    """
    folder = package or course.package
    changed = []
    for relative, text in exported_files(course, modules, notebook).items():
        path = folder / relative
        if not path.is_file() or path.read_bytes() != text.encode():
            write_atomic(path, text)
            changed.append(path)
    return changed


def source_path(course: Course, module: Module) -> Path:
    """Where a module's cells are: the teaching source, or in a student kit the student's own notebook."""
    return course.work(module) if course.is_kit else course.teaching_source(module)


def exported_files(course: Course, modules: Sequence[Module], notebook: Path | None = None) -> dict[str, str]:
    """Return what `export` writes: path inside the package -> text; first the facades, then the modules.

    Raises:
        CourseError: a cell cannot be exported.
    """
    files = facade_files(MODULES)
    for module in modules:
        path = notebook or source_path(course, module)
        inside = path.resolve().is_relative_to(course.root.resolve())
        label = path.resolve().relative_to(course.root.resolve()).as_posix() if inside else path.name
        files[_inside_package(module)] = package_file(read_cells(path), module, label)
    return files


def module_of(notebook: Path) -> Module:
    """Return the module whose notebook this is, by its `#| default_exp`.

    Raises:
        CourseError: the notebook names no export target of the registry.
    """
    named = [value for cell in read_cells(notebook) for word, value in cell.directives if word == "default_exp"]
    for module in MODULES:
        if module.export in named:
            return module
    problem = f"{notebook} has no '#| default_exp' line that names a module of the course."
    raise CourseError(problem, "Name the module too: tito export 01 --from NOTEBOOK.")


def drift(course: Course, modules: Sequence[Module]) -> dict[str, str]:
    """Compare the package with its sources.

    Returns:
        Path in the course -> a diff or a sentence, for every file that differs, is missing, or comes from no source.

    Raises:
        CourseError: a source cannot be exported.
    """
    found = {}
    for relative, text in exported_files(course, modules).items():
        path = course.package / relative
        name = path.relative_to(course.root).as_posix()
        if not path.is_file():
            found[name] = f"{name} is missing"
        elif path.read_bytes() != text.encode():
            found[name] = _diff(path.read_text(encoding="utf-8", errors="replace"), text, name)
    known = {*facade_files(MODULES), *map(_inside_package, MODULES)}
    for path in sorted(course.package.rglob("*")):
        relative = path.relative_to(course.package).as_posix()
        if path.is_file() and "__pycache__" not in path.parts and relative not in known:
            name = path.relative_to(course.root).as_posix()
            found[name] = f"{name} comes from no module of the registry"
    return found


def _inside_package(module: Module) -> str:
    return module.target.removeprefix("tinytorch/")


def _diff(have: str, want: str, name: str) -> str:
    lines = difflib.unified_diff(have.splitlines(), want.splitlines(), name, f"{name} as exported", lineterm="")
    return "\n".join(lines) or f"{name} differs in its line endings"
