"""`tito start`, `tito check` and `tito status`: a student's day."""

from typing import TYPE_CHECKING, Annotated

import typer

from tito.commands import STUDENT

if TYPE_CHECKING:
    from tito.student.check import Checked

ModuleName = Annotated[str, typer.Argument(metavar="MODULE", help="A module as 5, 05, autograd or 05_autograd.")]


def register(app: typer.Typer) -> None:
    """Add the three commands."""
    app.command("start", rich_help_panel=STUDENT)(start)
    app.command("check", rich_help_panel=STUDENT)(check)
    app.command("status", rich_help_panel=STUDENT)(status)


def start(module: ModuleName) -> None:
    """Put a module's notebook into work/; one that is there already is never touched."""
    from tito.console import out
    from tito.course import find_course
    from tito.registry import find_module
    from tito.student.work import start as start_module

    found = find_module(module)
    course = find_course()
    path, fresh = start_module(course, found)
    shown = path.relative_to(course.root).as_posix()
    out().print(f"Your notebook: {shown}" if fresh else f"You have started already: {shown} is as you left it.")
    out().print(f"Open it:       jupyter lab {shown}\nCheck it:      tito check {found.number:02d}")


def check(module: ModuleName) -> None:
    """Run the public tests on your notebook; exit code 0 when all pass, 1 when one fails."""
    from tito.console import err
    from tito.course import find_course
    from tito.registry import find_module
    from tito.student.check import check as check_module

    found = find_module(module)
    course = find_course()
    with err().status(f"Running {found.folder} ..."):
        result = check_module(course, found)
    _show(result)
    if not result.ok:
        raise typer.Exit(1)


def _show(result: "Checked") -> None:
    from tito.console import out

    for note in result.notes:
        out().print(f"note    {note}", markup=False)
    for cell in result.answers:
        out().print(f"error   {cell.name}", markup=False)
        out().print("        " + cell.message.replace("\n", "\n        "), markup=False)
    for test in result.tests:
        out().print(f"{'passed' if test.passed else 'failed'}  {test.name}", markup=False)
        if test.message:
            out().print("        " + test.message.replace("\n", "\n        "), markup=False)
    total = len(result.tests)
    if result.ok:
        out().print(f"Public tests passed: {total} of {total}; hidden tests of these {total} cells remain for grading.")
    else:
        out().print(f"Public tests passed: {result.passed} of {total}.")
    if result.written:
        out().print(f"{result.written} written answer(s) will be read by a person.")


def status() -> None:
    """Show how far each module is."""
    from rich.table import Table

    from tito.console import out
    from tito.course import find_course
    from tito.errors import CourseError
    from tito.student.status import progress

    rows = progress(find_course())
    if not rows:
        raise CourseError(
            "There is no notebook here yet.", "Instructors make them with: tito build, then tito release."
        )
    table = Table("module", "notebook", "answered", "tests passed", "exported", box=None, pad_edge=False)
    for row in rows:
        tests = f"{row.checked[0]} of {row.checked[1]}" if row.checked else "-"
        answered = f"{row.answered} of {row.answers}" if row.state == "started" else "-"
        table.add_row(row.module.folder, row.state, answered, tests, "yes" if row.exported else "no")
    out().print(table)
