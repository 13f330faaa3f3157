"""Put a student's answers into the package: what `tito check` ran, tried before it replaces what is there."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from tito.course import Course
from tito.engine.reading import Unreadable, parse_submission, read_bytes
from tito.errors import CourseError
from tito.registry import MODULES, Module
from tito.sources.export import exported_files, inside_package, write_files
from tito.sources.facade import facade_files
from tito.sources.package_file import PackageFile, package_file
from tito.student.answers import CURE, answer_errors, error_at
from tito.student.trial import Failure, try_import
from tito.student.work import Work, read_work

Exported = Literal["yes", "no", "stale", "incomplete"]


def export_work(course: Course, works: Sequence[Work]) -> list[Path]:
    """Write the package files of notebooks, and the facades, once all of them are known to import.

    Returns:
        The files that changed.

    Raises:
        CourseError: an answer cannot be exported or imported; then nothing is written.
    """
    made = {inside_package(work.module): (work, _package_file(course, work)) for work in works}
    files = facade_files(MODULES) | {path: file.text for path, (_, file) in made.items()}
    failure = try_import(course.package, files, [work.module.export for work in works])
    if failure:
        raise _not_importable(failure, made, course)
    return write_files(course.package, files)


def package_files(course: Course, modules: Sequence[Module]) -> dict[str, str]:
    """Return what `tito export` would write: path inside the package -> text.

    The teaching sources decide or, in a kit, the student's notebooks.

    Raises:
        CourseError: a cell cannot be exported.
    """
    if not course.is_kit:
        return exported_files(course, modules)
    made = {inside_package(module): _package_file(course, read_work(course, module)) for module in modules}
    return facade_files(MODULES) | {path: file.text for path, file in made.items()}


def exported_state(course: Course, module: Module, work: Work | None) -> Exported:
    """Compare the package with a notebook.

    Returns:
        "no": the package does not have the module; "stale": exporting again would change it; "incomplete": it holds
        answers that are not written yet; else "yes".
    """
    path = course.exported(module)
    if not path.is_file():
        return "no"
    if work is None:
        return "yes"
    try:
        text = _package_file(course, work).text
    except CourseError:
        return "stale"
    if _code(text) != _code(path.read_text(encoding="utf-8", errors="replace")):
        return "stale"
    return "incomplete" if work.unwritten else "yes"


def module_of(notebook: Path) -> Module:
    """Return the module whose notebook this is, by its `#| default_exp` or the folder that it lies in.

    Raises:
        CourseError: neither names a module.
    """
    if not notebook.exists():
        raise CourseError(f"{notebook} does not exist.", "Check the name and the folder you are in.")
    try:
        cells = parse_submission(read_bytes(notebook)).cells
    except Unreadable as reason:
        raise CourseError(f"{notebook} cannot be read: {reason}.", "Save it again in Jupyter.") from None
    named = [value for cell in cells for word, value in cell.directives if word == "default_exp"]
    for module in MODULES:
        if module.export in named or module.folder == notebook.resolve().parent.name:
            return module
    problem = f"{notebook} has no '#| default_exp' line that names a module of the course."
    raise CourseError(problem, "Name the module too: tito export 01 --from NOTEBOOK.")


def _package_file(course: Course, work: Work) -> PackageFile:
    name = course.shown(work.path)
    error = next(answer_errors(work), None)
    if error:
        raise CourseError(f"{name}: {error.sentence}", error.cure)
    return package_file(work.normal.cells, work.module, name)


def _code(text: str) -> str:
    """A package file without its first line, which names the notebook."""
    return text.partition("\n")[2]


def _not_importable(failure: Failure, made: dict[str, tuple[Work, PackageFile]], course: Course) -> CourseError:
    """Name the student's own line where one is to blame, else the line of a given cell or of the package."""
    cells = [
        (made[path][0], *origin)
        for path, line in failure.places
        if path in made and (origin := made[path][1].origins[line - 1])
    ]
    own = [place for place in cells if place[1].nbgrader.get("solution")]
    if cells:
        work, cell, line = (own or cells)[-1]
        told = f"{course.shown(work.path)}: {error_at(cell, line, failure.kind, failure.message).sentence}"
    elif failure.places:
        told = "{}, line {}: ".format(*failure.places[-1]) + f"{failure.kind}: {failure.message}"
    else:
        told = f"{', '.join(made)} cannot be imported: {failure.message}"
    cure = CURE if own or not failure.places else "Export the modules before it again."
    return CourseError(f"{told}; nothing was exported.", cure)
