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
    from tito.console import err, out
    from tito.course import find_course
    from tito.errors import CourseError
    from tito.registry import find_module
    from tito.student.work import require_needs
    from tito.student.work import start as start_module

    found = find_module(module)
    course = find_course()
    path, fresh = start_module(course, found)
    shown = course.shown(path)
    out().print(f"Your notebook: {shown}" if fresh else f"You have started already: {shown} is as you left it.")
    out().print(f"Open it:       tito lab {found.number:02d}\nCheck it:      tito check {found.number:02d}")
    try:
        require_needs(course, found)
    except CourseError as missing:
        err().print(f"Before it:     {missing}", markup=False)


def check(module: ModuleName) -> None:
    """Run the public tests on your notebook; exit code 0 when all pass, 1 when something fails."""
    from tito.console import err
    from tito.course import find_course
    from tito.registry import find_module
    from tito.student.check import check as run_check
    from tito.student.results import keep_result
    from tito.student.work import read_work, require_needs

    found = find_module(module)
    course = find_course()
    require_needs(course, found)
    work = read_work(course, found)
    with err().status(f"Running {found.folder} ..."):
        result = run_check(course, work)
    _show(result)
    try:
        keep_result(course, work, result)
    except OSError as error:
        err().print(f"The result could not be kept for 'tito status': {error.strerror}.", markup=False)
    if not result.ok:
        raise typer.Exit(1)


def _show(result: "Checked") -> None:
    for note in result.notes:
        _say("note", note)
    if result.given:
        _say("error", result.given.told, result.given.text)
        _say(
            "", "The rest follows from it. It uses an answer above it, or modules before this one: export those again."
        )
        return
    for error in result.answers:
        _say("error", error.told, error.text)
    for test in result.tests:
        if test.state == "not written":
            _say("to do", f"{test.name}: {test.message}")
        else:
            _say(test.state, test.name, test.message)
    _show_sum(result)


def _show_sum(result: "Checked") -> None:
    total, later = len(result.tests), result.count("not written")
    waits = f"; hidden tests of these {total} cells remain for grading" if result.passed == total else ""
    waits += f"; not written yet: {later}" if later else ""
    _say("", f"Public tests passed: {result.passed} of {total}{waits}.")
    if result.answers:
        _say("", "The answers with an error cannot be exported.")
    if result.written:
        _say("", f"{result.written} written answer(s) will be read by a person.")


def _say(word: str, text: str, more: str = "") -> None:
    """Print a line under its word, and indented what belongs to it."""
    from tito.console import out

    out().print(f"{word:<8}{text}" if word else text, markup=False)
    if more:
        out().print("        " + more.replace("\n", "\n        "), markup=False)


def status() -> None:
    """Show how far each module is."""
    from tito.console import table
    from tito.course import find_course
    from tito.errors import CourseError
    from tito.student.status import progress
    from tito.student.work import no_releases

    course = find_course()
    rows = progress(course)
    if not rows:
        raise CourseError("There is no notebook here yet.", no_releases(course))
    shown = [(row.module.folder, row.state, row.answered, row.tests, row.exported) for row in rows]
    table(("module", "notebook", "answered", "passed", "exported"), shown)
    for row in rows:
        if row.note:
            _say("note", f"{row.module.folder}: {row.note}")
