"""`tito doctor`: why does it not work?"""

import typer

from tito.commands import STUDENT


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
        style, word = ("green", "+ ok     ") if check.ok else ("bold red", "! problem")
        out().print(f"[{style}]{word}[/]", end=" ")
        out().print(f"{check.name}: {check.found}", markup=False)
        if not check.ok:
            problems += 1
            out().print(f"          next: {check.cure}", markup=False)
    if problems:
        out().print(f"{problems} to put right." if problems > 1 else "One thing to put right.")
        raise typer.Exit(1)
    out().print("Everything is in order.")
