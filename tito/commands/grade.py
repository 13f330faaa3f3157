"""`tito grade`: run submissions and store their scores."""

from typing import TYPE_CHECKING, Annotated

import typer

from tito.commands import INSTRUCTOR, ModuleNames, chosen_modules
from tito.course import Course
from tito.errors import CourseError
from tito.registry import Module

if TYPE_CHECKING:
    from tito.grading.journal import Entry


def register(app: typer.Typer) -> None:
    """Add `tito grade`."""
    app.command("grade", rich_help_panel=INSTRUCTOR)(grade)


def grade(
    modules: ModuleNames = None,
    student: Annotated[str | None, typer.Option("--student", help="Grade only this student.")] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=0, help="Submissions at a time; 0 is one for each processor.")
    ] = 0,
) -> None:
    """Grade what was collected; what is graded already is not run again, so an interrupted run can just be repeated."""
    from tito.console import out
    from tito.course import find_course
    from tito.grading.grade import processors, require_submissions

    course = find_course()
    work = []
    for module in chosen_modules(modules):
        named = require_submissions(course, module, student if modules else None)
        count = sum(student in (None, one) for one in named)
        if count:
            work.append((module, count))
    if not work:
        whose = f" by '{student}'" if student else ""
        raise CourseError(f"There is no submission{whose} to grade.", "Run 'tito collect INBOX' first.")
    entries = _run(course, work, student, jobs or processors())
    for entry in sorted(entries, key=lambda e: (e.module, e.student)):
        out().print(f"{entry.module:<16} {entry.student:<24} {entry.shown_status}", markup=False)
        for note in entry.shown_notes:
            out().print(f"    {note}", markup=False)
    out().print("Next: tito report, tito feedback")


def _run(course: Course, work: list[tuple[Module, int]], student: str | None, jobs: int) -> "list[Entry]":
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from tito.console import err
    from tito.grading.grade import grade_module

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    entries = []
    with Progress(*columns, console=err(), transient=True) as progress:
        for module, count in work:
            task = progress.add_task(module.folder, total=count)
            for entry in grade_module(course, module, student, jobs):
                entries.append(entry)
                progress.advance(task)
    return entries
