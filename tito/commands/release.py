"""`tito release`: notebooks without answers, and the student kit."""

import typer

from tito.commands import INSTRUCTOR, ModuleNames, chosen_modules
from tito.errors import CourseError


def register(app: typer.Typer) -> None:
    """Add `tito release`."""
    app.command("release", rich_help_panel=INSTRUCTOR)(release)


def release(modules: ModuleNames = None) -> None:
    """Make the notebooks that students receive, and pack the student kit."""
    from tito.console import out
    from tito.course import find_course
    from tito.release.publish import publish

    course = find_course()
    chosen = chosen_modules(modules)
    if not modules:
        chosen = [module for module in chosen if course.built(module).is_file()]
        if not chosen:
            raise CourseError("No notebook has been built yet.", "Run 'tito build' first.")
    archive = publish(course, chosen)
    for module in chosen:
        out().print(f"released {course.released(module).relative_to(course.root).as_posix()}")
    out().print(
        f"packed {archive.relative_to(course.root).as_posix()} ({archive.stat().st_size / 1e6:.1f} MB), no answer in it"
    )
