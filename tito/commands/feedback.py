"""`tito feedback`: a page for every student."""

from typing import Annotated

import typer

from tito.commands import INSTRUCTOR, ModuleNames, chosen_modules
from tito.errors import CourseError


def register(app: typer.Typer) -> None:
    """Add `tito feedback`."""
    app.command("feedback", rich_help_panel=INSTRUCTOR)(feedback)


def feedback(
    modules: ModuleNames = None,
    student: Annotated[str | None, typer.Option("--student", help="Only for this student.")] = None,
) -> None:
    """Write a page with points and messages for every graded submission, without hidden tests or answers."""
    from tito.console import out
    from tito.course import find_course
    from tito.grading.feedback import write_feedback

    course = find_course()
    pages = [path for module in chosen_modules(modules) for path in write_feedback(course, module, student)]
    if not pages:
        raise CourseError("Nothing has been graded yet that feedback could be written for.", "Run 'tito grade' first.")
    out().print(f"wrote {len(pages)} pages below {course.feedback.name}/")
