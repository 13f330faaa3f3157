"""`tito doctor`: why does it not work?"""

import typer

from tito.commands import STUDENT

STYLES = {"ok": "green", "to do": "yellow", "problem": "bold red"}


def register(app: typer.Typer) -> None:
    """Add `tito doctor`."""
    app.command("doctor", rich_help_panel=STUDENT)(doctor)


def doctor() -> None:
    """Find out why something does not work: Python, packages, folders, the state of the course."""
    from tito.console import out
    from tito.course import find_course
    from tito.doctor import examine
    from tito.errors import CourseError

    try:
        course = find_course()
    except CourseError:
        course = None
    problems = 0
    for check in examine(course):
        out().print(f"[{STYLES[check.word]}]{check.word:8}[/]", end=" ")
        out().print(f"{check.name}: {check.found}", markup=False)
        if check.cure:
            out().print(f"{'':8} next: {check.cure}", markup=False)
        problems += not check.ok
    if problems:
        out().print(f"{problems} to put right." if problems > 1 else "One thing to put right.")
        raise typer.Exit(1)
    out().print("Nothing is broken.")
