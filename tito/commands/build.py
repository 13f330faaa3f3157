"""`tito build`: teaching sources become notebooks."""

import typer

from tito.commands import INSTRUCTOR, ModuleNames, written_modules


def register(app: typer.Typer) -> None:
    """Add `tito build`."""
    app.command("build", rich_help_panel=INSTRUCTOR)(build)


def build(modules: ModuleNames = None) -> None:
    """Turn teaching sources into the notebooks in source/."""
    from tito.console import out
    from tito.course import find_course
    from tito.sources.build import build as build_module

    course = find_course()
    for module in written_modules(course, modules):
        path = build_module(course, module)
        out().print(f"built {path.relative_to(course.root).as_posix()}")
