"""`tito milestone`: the history of the field on your own code."""

from pathlib import Path
from typing import Annotated

import typer

from tito.commands import STUDENT


def register(app: typer.Typer) -> None:
    """Add `tito milestone` with its two commands."""
    group = typer.Typer(no_args_is_help=True, help="Run the famous networks of the past on your own package.")
    group.command("list")(list_milestones)
    group.command("run")(run)
    app.add_typer(group, name="milestone", rich_help_panel=STUDENT)


def list_milestones() -> None:
    """Show the milestones and what each still needs."""
    from tito.console import out
    from tito.course import find_course
    from tito.student.milestones import find_milestones

    course = find_course()
    for milestone in find_milestones(course):
        missing = [m.folder for m in milestone.needs if not (course.root / m.target).is_file()]
        state = f"needs {', '.join(missing)}" if missing else "ready"
        out().print(f"{milestone.folder:20} {state:8} {milestone.title}", markup=False)


def run(
    name: Annotated[str, typer.Argument(help="Such as 1986, mlp or 03_1986_mlp.")],
    seed: Annotated[int, typer.Option(help="Where the random numbers start.")] = 0,
    seeds: Annotated[int, typer.Option(min=1, help="Run so many seeds, beginning with --seed.")] = 1,
    figures: Annotated[Path | None, typer.Option(help="Save the picture into this folder.")] = None,
) -> None:
    """Train a milestone's network on the package in this folder."""
    from tito.console import out
    from tito.course import find_course
    from tito.student.milestones import find_milestone, run_milestone

    course = find_course()
    milestone = find_milestone(course, name)
    out().print(milestone.title, markup=False)
    for one in range(seed, seed + seeds):
        out().print(f"seed {one}")
        run_milestone(course, milestone, one, figures if one == seed else None)
