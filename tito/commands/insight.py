"""`tito insight`: what a graded class did."""

from pathlib import Path
from typing import Annotated

import typer

from tito.commands import INSTRUCTOR, ModuleNames, chosen_modules
from tito.errors import CourseError


def register(app: typer.Typer) -> None:
    """Add `tito insight`."""
    app.command("insight", rich_help_panel=INSTRUCTOR)(insight)


def insight(
    modules: ModuleNames = None,
    folder: Annotated[Path, typer.Option("--to", help="Where to write the page and the tables.")] = Path("insight"),
) -> None:
    """Show which items were hard, which misconceptions occurred and whose answers are alike, as a page and as CSV.

    It reads what 'tito grade' has stored. Names of students stand only in the list of answers that are alike.
    """
    from tito.console import err, out
    from tito.course import find_course
    from tito.files import write_atomic
    from tito.grading.storage import storage
    from tito.insight.views import page, tables, view

    course, views = find_course(), []
    for module in chosen_modules(modules):
        with err().status(f"Reading {module.folder} ..."):
            one = view(course, module)
        if one:
            views.append(one)
    if not views:
        raise CourseError("Nothing has been graded yet.", "Run 'tito grade' first.")
    with storage(f"{folder}/"):
        for name, text in {"index.html": page(views), **tables(views)}.items():
            write_atomic(folder / name, text)
    for one in views:
        settled = (item for item in one.items if not item.waiting)
        hardest = min(settled, key=lambda item: item.share, default=None)
        most = f"; most frequent: {one.beliefs[0].text}" if one.beliefs else ""
        hard = f"; hardest: {hardest.name} {hardest.share:.0%}" if hardest else ""
        out().print(f"{one.module}: {one.students} graded{hard}{most}; pairs alike: {len(one.pairs)}", markup=False)
    out().print(f"wrote {folder / 'index.html'}", markup=False)
