"""`tito report`: the grade table."""

from pathlib import Path
from typing import Annotated

import typer

from tito.commands import INSTRUCTOR, ModuleNames, chosen_modules
from tito.errors import CourseError


def register(app: typer.Typer) -> None:
    """Add `tito report`."""
    app.command("report", rich_help_panel=INSTRUCTOR)(report)


def report(
    modules: ModuleNames = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Also write the table to this file.")] = None,
) -> None:
    """Show status and points of every student of the course; what has no grade is shown as -, never as 0."""
    from tito.console import out, table
    from tito.course import find_course
    from tito.files import write_atomic
    from tito.grading.collect.listing import left_over
    from tito.grading.grade import submitted_students
    from tito.grading.report import csv_text, grade_rows
    from tito.grading.storage import storage

    course = find_course()
    chosen = chosen_modules(modules)
    if not modules:
        chosen = [module for module in chosen if submitted_students(course, module)]
    rows, waiting = grade_rows(course, chosen), left_over(course)
    if not rows and not waiting:
        raise CourseError("Nobody has handed in anything yet.", "Run 'tito collect INBOX' first.")
    if rows:
        late = [[number if number != "0" else "" for number in row.numbers[-2:]] for row in rows]
        shown = [(row.student, row.module, row.status, row.points, *days) for row, days in zip(rows, late, strict=True)]
        table(("student", "module", "status", "points", "days late", "penalty"), shown)
    for row in rows:
        for note in row.notes:
            out().print(f"{row.student}, {row.module}: {note}", markup=False)
    if waiting:
        out().print(f"Files of the last collect that belong to nobody or could not be read: {len(waiting)}")
    for entry in waiting:
        out().print(f"    {entry.label}: {entry.reason}", markup=False)
    if csv:
        with storage(str(csv)):
            write_atomic(csv, csv_text(rows))
        out().print(f"wrote {csv}", markup=False)
