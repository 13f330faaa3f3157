"""`tito gradebook`: whether it is whole, and a new one from the journal."""

import typer

from tito.commands import INSTRUCTOR


def register(app: typer.Typer) -> None:
    """Add `tito gradebook` with its two commands."""
    group = typer.Typer(no_args_is_help=True, help="Look after nbgrader's gradebook.")
    group.command("check")(check)
    group.command("rebuild")(rebuild)
    app.add_typer(group, name="gradebook", rich_help_panel=INSTRUCTOR)


def check() -> None:
    """See whether gradebook and journal are whole and agree."""
    from tito.console import out
    from tito.course import find_course
    from tito.grading.rebuild import check

    found = check(find_course())
    for sentence in found:
        out().print(sentence, markup=False)
    if found:
        out().print("Next: tito gradebook rebuild")
        raise typer.Exit(1)
    out().print("Gradebook and journal are whole and agree.")


def rebuild() -> None:
    """Make the gradebook anew from the journal, with points and comments given by hand; the old one is set aside."""
    from tito.console import out
    from tito.course import find_course
    from tito.grading.rebuild import rebuild

    entries = list(rebuild(find_course()))
    out().print(f"{sum(entry.recorded for entry in entries)} submissions recorded; nothing was run")
    out().print("Next: tito report; tito grade runs what was never graded")
