"""`tito collect`: an inbox becomes `submitted/`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tito.commands import INSTRUCTOR

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo


def register(app: typer.Typer) -> None:
    """Add `tito collect`."""
    app.command("collect", rich_help_panel=INSTRUCTOR)(collect)


def collect(
    inbox: Annotated[Path, typer.Argument(help="A folder or a zip with submissions.")],
    map_file: Annotated[
        Path | None, typer.Option("--map", help="CSV with lines 'file or pattern, student[, module]': whose a file is.")
    ] = None,
    timezone: Annotated[
        str | None, typer.Option(help="Zone of the dates in zips, such as Europe/Berlin; else this computer's.")
    ] = None,
) -> None:
    """Sort submissions into submitted/, the newest of each student and module; what is not understood is listed.

    Owners come from --map, then from the roster (tito roster import), then from names such as STUDENT/tensor.ipynb and
    STUDENT_tensor.ipynb. Downloads of Canvas, Moodle and Blackboard are understood. Nothing is lost: what a newer file
    replaces goes to submitted/.history. The exit code is 1 when a file waits for you.
    """
    from tito.console import err, out
    from tito.course import find_course
    from tito.grading.collect import collect as collect_inbox

    report = collect_inbox(find_course(), inbox, map_file, _zone(timezone))
    for student, module in report.taken:
        out().print(f"collected {student} {module}", markup=False)
    if report.known:
        out().print(f"{len(report.known)} were here already")
    aside = len(report.listed) - len(report.left_over)
    if aside:
        out().print(f"{aside} other files were left aside: earlier versions, parts of kits, hidden files")
    for entry in report.left_over:
        err().print(f"not collected: {entry.label}: {entry.reason}. {entry.hint}", markup=False)
    if report.left_over:
        raise typer.Exit(1)


def _zone(name: str | None) -> "ZoneInfo | None":
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from tito.errors import CourseError

    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise CourseError(f"There is no time zone '{name}'.", "Name one such as Europe/Berlin or UTC.") from None
