"""`tito demo`: the whole course once, on a made-up class."""

import typer

from tito.commands import MAINTAINER


def register(app: typer.Typer) -> None:
    """Add `tito demo`."""
    app.command("demo", rich_help_panel=MAINTAINER)(demo)


def demo() -> None:
    """Build, export and release the course, grade a class of five in demo/, and train a network on real digits."""
    from tito.course import find_course
    from tito.demo import run_demo

    run_demo(find_course())
