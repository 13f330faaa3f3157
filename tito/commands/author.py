"""`tito new` and `tito sync`: begin a module, and bring up to date what is derived from it."""

from pathlib import Path
from typing import Annotated

import typer

from tito.commands import MAINTAINER


def register(app: typer.Typer) -> None:
    """Add the two commands."""
    app.command("new", rich_help_panel=MAINTAINER)(new)
    app.command("sync", rich_help_panel=MAINTAINER)(sync)


def new(
    number: Annotated[int, typer.Argument(metavar="NN", help="The next number, such as 10.")],
    name: Annotated[str, typer.Argument(help="One word for folders and files, such as tokenization.")],
    export: Annotated[str, typer.Option(help="Where its code goes in the package; core.NAME by default.")] = "",
) -> None:
    """Begin a module: registry row, page, test, misconception and alternative, ready to be written over."""
    from tito.console import out
    from tito.course import find_course
    from tito.sources.new import new_module

    course = find_course()
    _show(course.root, new_module(course, number, name, export or f"core.{name}"))
    out().print("Next: tito sync, then write the page (CONTRIBUTING.md, STYLE.md)")


def sync() -> None:
    """Rewrite what is derived: notebooks, the package, the README's table, what each misconception answers."""
    from tito.console import err, out
    from tito.course import find_course
    from tito.registry import MODULES
    from tito.release.beliefs import up_to_date, write_beliefs
    from tito.sources.sync import sync as sync_course

    course = find_course()
    changed = sync_course(course)
    for module in MODULES:
        if not up_to_date(course, module):
            with err().status(f"Running the misconceptions of {module.folder} ..."):
                changed.append(write_beliefs(course, module))
    _show(course.root, changed)
    if not changed:
        out().print("Everything is up to date.")


def _show(root: Path, paths: list[Path]) -> None:
    from tito.console import out

    for path in paths:
        out().print(f"wrote {path.relative_to(root).as_posix()}", markup=False)
