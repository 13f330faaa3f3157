"""`tito export`: cells become the `tinytorch` package."""

from pathlib import Path
from typing import Annotated

import typer

from tito.commands import STUDENT, ModuleNames, chosen_modules, written_modules
from tito.course import Course
from tito.errors import CourseError


def register(app: typer.Typer) -> None:
    """Add `tito export`."""
    app.command("export", rich_help_panel=STUDENT)(export)


def export(
    modules: ModuleNames = None,
    notebook: Annotated[Path | None, typer.Option("--from", help="Take the cells from this notebook.")] = None,
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
    else:
        _write(course, modules, notebook)


def _write(course: Course, words: list[str] | None, notebook: Path | None) -> None:
    from tito.console import out
    from tito.sources.export import export as export_modules
    from tito.sources.export import module_of

    modules = [module_of(notebook)] if notebook and not words else written_modules(course, words)
    if notebook and len(modules) > 1:
        raise CourseError("--from takes the cells of one module.", "Name one module.")
    changed = export_modules(course, modules, notebook)
    for path in changed:
        out().print(f"wrote {path.relative_to(course.root).as_posix()}")
    if not changed:
        out().print(f"{', '.join(module.target for module in modules)} already up to date")


def _check(course: Course, words: list[str] | None) -> None:
    from tito.console import err, out
    from tito.sources.export import drift

    modules = chosen_modules(words) if words or not course.is_kit else written_modules(course, None)
    found = drift(course, modules)
    for difference in found.values():
        out().print(difference, markup=False)
    if found:
        cure = "Run `tito export`, and remove files that come from no module."
        err().print(f"The package differs from its sources in {len(found)} files. {cure}", markup=False)
        raise typer.Exit(1)
    out().print("The package is up to date.")
