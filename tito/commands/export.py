"""`tito export`: cells become the `tinytorch` package."""

from pathlib import Path
from typing import Annotated

import typer

from tito.commands import STUDENT, ModuleNames, chosen_modules, written_modules
from tito.course import Course
from tito.errors import CourseError
from tito.registry import Module


def register(app: typer.Typer) -> None:
    """Add `tito export`."""
    app.command("export", rich_help_panel=STUDENT)(export)


def export(
    modules: ModuleNames = None,
    notebook: Annotated[Path | None, typer.Option("--from", help="Take a student's answers from here.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 when the package is out of date.")
    ] = False,
) -> None:
    """Put your code into the tinytorch package, where the next modules import it."""
    from tito.course import find_course

    course = find_course()
    if check and notebook:
        raise CourseError("--check and --from do not go together.", "Leave one of them out.")
    if check:
        _check(course, modules)
    elif course.is_kit or notebook:
        _write_answers(course, modules, notebook)
    else:
        from tito.sources.export import export as export_sources

        chosen = written_modules(course, modules)
        _tell(course, chosen, export_sources(course, chosen))


def _write_answers(course: Course, words: list[str] | None, notebook: Path | None) -> None:
    from tito.console import out
    from tito.student.export import export_work, module_of
    from tito.student.work import read_work, require_needs

    modules = [module_of(notebook)] if notebook and not words else written_modules(course, words)
    if notebook and len(modules) > 1:
        raise CourseError("--from takes the cells of one module.", "Name one module.")
    for module in modules:
        require_needs(course, module, coming=modules)
    works = [read_work(course, module, notebook) for module in modules]
    for work in works:
        for note in work.notes:
            out().print(f"note    {note}", markup=False)
    _tell(course, modules, export_work(course, works))
    for work in works:
        if work.unwritten:
            count = f"{len(work.unwritten)} of {len(work.answers)} answers are not written yet"
            out().print(f"module {work.module.number:02d}: {count}: {', '.join(work.unwritten)}", markup=False)


def _tell(course: Course, modules: list[Module], changed: list[Path]) -> None:
    from tito.console import out

    for path in changed:
        out().print(f"wrote {course.shown(path)}", markup=False)
    if not changed:
        out().print(f"{', '.join(module.target for module in modules)} already up to date")


def _check(course: Course, words: list[str] | None) -> None:
    from tito.console import err, out
    from tito.sources.export import drift
    from tito.student.export import package_files

    modules = chosen_modules(words) if words or not course.is_kit else written_modules(course, None)
    found = drift(course, package_files(course, modules))
    for difference in found.values():
        out().print(difference, markup=False)
    if found:
        cure = "Run `tito export`, and remove files that come from no module."
        err().print(f"The package differs from its sources in {len(found)} files. {cure}", markup=False)
        raise typer.Exit(1)
    out().print("The package is up to date.")
