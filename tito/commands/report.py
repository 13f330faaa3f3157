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
    """Show status and points of every student, with what was put right; no grade is shown as -, never as 0."""
    from rich.table import Table

    from tito.console import out
    from tito.course import find_course
    from tito.files import write_atomic
    from tito.grading.collect.listing import left_over
    from tito.grading.grade import submitted_students
    from tito.grading.report import csv_text, grade_rows

    course = find_course()
    chosen = chosen_modules(modules)
    if not modules:
        chosen = [module for module in chosen if submitted_students(course, module)]
    rows = grade_rows(course, chosen)
    if not rows:
        raise CourseError("Nobody has handed in anything yet.", "Run 'tito collect INBOX' first.")
    table = Table("student", "module", "status", "points", "of", "by hand", box=None, pad_edge=False)
    for row in rows:
        numbers = ["-" if value is None else f"{value:g}" for value in (row.score, row.max_score)]
        table.add_row(row.student, row.module, row.status, *numbers, "waits" if row.needs_manual else "")
    out().print(table)
    for row in rows:
        for note in row.notes:
            out().print(f"{row.student}, {row.module}: {note}", markup=False)
    if waiting := left_over(course):
        out().print(f"Files of the last collect that belong to nobody or could not be read: {len(waiting)}")
    for entry in waiting:
        out().print(f"    {entry.label}: {entry.reason}", markup=False)
    if csv:
        write_atomic(csv, csv_text(rows))
        out().print(f"wrote {csv}", markup=False)
