"""`tito roster`: who is in the course."""

from pathlib import Path
from typing import Annotated

import typer

from tito.commands import INSTRUCTOR


def register(app: typer.Typer) -> None:
    """Add `tito roster` with its two commands."""
    group = typer.Typer(no_args_is_help=True, help="Who is in the course, as nbgrader's gradebook has it.")
    group.command("import")(import_file)
    group.command("list")(list_students)
    app.add_typer(group, name="roster", rich_help_panel=INSTRUCTOR)


def import_file(
    file: Annotated[
        Path, typer.Argument(help="CSV with a line of column names; exports of Canvas, Moodle, Blackboard.")
    ],
) -> None:
    """Add the students in a CSV file to the gradebook, or bring them up to date; nobody is removed."""
    from tito.console import err, out
    from tito.course import find_course
    from tito.grading.roster import import_roster, read_file
    from tito.grading.strays import strays

    found, course = read_file(file), find_course()
    done = import_roster(course, found.students)
    notes = [*found.notes, *strays(course, found.students)]
    out().print(f"{done.new} new, {done.changed} changed, {done.same} as they were")
    for note in notes:
        err().print(note, markup=False)
    if notes:
        raise typer.Exit(1)


def list_students() -> None:
    """Show everyone in the gradebook."""
    from tito.console import table
    from tito.course import find_course
    from tito.errors import CourseError
    from tito.grading.roster import all_students

    students = all_students(find_course())
    if not students:
        raise CourseError("There is no student in the gradebook yet.", "Run 'tito roster import FILE.csv'.")
    rows = [(one.id, one.first_name, one.last_name, one.email, one.lms_user_id) for one in students]
    table(("id", "first name", "last name", "e-mail", "LMS id"), rows)
