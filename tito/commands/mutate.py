"""`tito mutate`: how many wrong answers do the graded tests catch?"""

from typing import TYPE_CHECKING, Annotated

import typer

from tito.commands import MAINTAINER, ModuleNames, written_modules
from tito.course import Course
from tito.registry import Module

if TYPE_CHECKING:
    from tito.mutation.score import Score


def register(app: typer.Typer) -> None:
    """Add `tito mutate`."""
    app.command("mutate", rich_help_panel=MAINTAINER)(mutate)


def mutate(
    modules: ModuleNames = None,
    changed: Annotated[bool, typer.Option("--changed", help="Only modules with an old score.")] = False,
) -> None:
    """Change every solution a little, again and again, and count how often its graded test notices.

    Survivors are listed: strengthen the hidden test, or, when no test can tell the mutant from the answer, write it
    with the reason into tests/NN_name/equivalents.toml. The scores are recorded in tests/NN_name/mutation.json. The
    exit code is 1 when an answer's test catches less than 95 % or a module's tests less than 99 %.
    """
    from tito.console import err, out
    from tito.course import find_course
    from tito.mutation.score import record, together, up_to_date, weak

    course, failed = find_course(), False
    for module in written_modules(course, modules):
        if changed and up_to_date(course, module):
            continue
        scores = _measured(course, module)
        record(course, module, scores)
        whole = together(module.folder, scores)
        count = whole.killed + len(whole.survivors)
        out().print(f"{module.folder:<20} {whole.share:7.2%} of {count} killed, {whole.equivalent} equivalent")
        for words in weak(scores):
            err().print(f"too weak: {words}", markup=False)
            failed = True
    if failed:
        raise typer.Exit(1)


def _measured(course: Course, module: Module) -> "list[Score]":
    from tito.console import err, progress
    from tito.mutation.measure import answers, solved
    from tito.mutation.score import measure

    scores = []
    with progress() as bar:
        task = bar.add_task(f"{module.folder}, answers", total=len(answers(solved(course, module))))
        for score in measure(course, module):
            for words in score.survivors:
                err().print(f"survived: {words}", markup=False)
            scores.append(score)
            bar.advance(task)
    return scores
