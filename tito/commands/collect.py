"""`tito collect`: an inbox becomes `submitted/`."""

from pathlib import Path
from typing import Annotated

import typer

from tito.commands import INSTRUCTOR


def register(app: typer.Typer) -> None:
    """Add `tito collect`."""
    app.command("collect", rich_help_panel=INSTRUCTOR)(collect)


def collect(inbox: Annotated[Path, typer.Argument(help="A folder or a zip with submissions.")]) -> None:
    """Sort submissions into submitted/, the newest of each student and module."""
    from tito.console import err, out
    from tito.course import find_course
    from tito.grading.collect import collect as collect_inbox

    report = collect_inbox(find_course(), inbox)
    for student, module in report.taken:
        out().print(f"collected {student} {module}", markup=False)
    if report.known:
        out().print(f"{len(report.known)} were here already")
    for name, reason in report.ignored:
        err().print(f"ignored {name}: {reason}", markup=False)
