"""`tito lab`: JupyterLab with a notebook in front."""

from typing import Annotated

import typer

from tito.commands import STUDENT


def register(app: typer.Typer) -> None:
    """Add `tito lab`."""
    app.command("lab", rich_help_panel=STUDENT)(lab)


def lab(
    module: Annotated[
        str | None, typer.Argument(metavar="[MODULE]", help="Open this module's notebook: 5, 05, autograd.")
    ] = None,
) -> None:
    """Open JupyterLab on the whole folder, with a module's notebook in front."""
    from tito.course import find_course
    from tito.registry import find_module
    from tito.student.jupyter import open_lab

    open_lab(find_course(), find_module(module) if module else None)
