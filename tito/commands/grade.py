"""`tito grade` and `tito merge`: run submissions and store their scores."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tito.commands import INSTRUCTOR, ModuleNames, chosen_modules
from tito.engine.isolation import Isolation
from tito.errors import CourseError
from tito.registry import Module

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tito.grading.grade import Engine
    from tito.grading.journal import Entry


def register(app: typer.Typer) -> None:
    """Add `tito grade` and `tito merge`."""
    app.command("grade", rich_help_panel=INSTRUCTOR)(grade)
    app.command("merge", rich_help_panel=INSTRUCTOR)(merge)


def grade(
    modules: ModuleNames = None,
    student: Annotated[str | None, typer.Option("--student", help="Grade only this student.")] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=0, help="Submissions at a time; 0 is one for each processor.")
    ] = 0,
    shards: Annotated[
        str | None,
        typer.Option(metavar="K/N", help="Grade the K-th of N parts of the class into a file for 'tito merge'."),
    ] = None,
    dask: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Grade on the Dask cluster at tcp://HOST:PORT.")
    ] = None,
    isolation: Annotated[
        Isolation, typer.Option(help="What student code runs in; 'none' is written on every result.")
    ] = Isolation.SANDBOX,
) -> None:
    """Grade what was collected; what is graded already is not run again, so an interrupted run can just be repeated."""
    from tito.console import err, out
    from tito.course import find_course
    from tito.grading.grade import engine_with, grade_module, misnamed, processors, require_submissions
    from tito.grading.journal import read_journal
    from tito.grading.shards import grade_shard, parse_shard, write_shard

    if student and shards:
        raise CourseError("--student and --shards do not go together.", "Leave out one of them.")
    shard = parse_shard(shards) if shards else None
    course = find_course()
    work = []
    for module in chosen_modules(modules):
        for whose, note in misnamed(course, module).items():
            err().print(f"{module.folder:<16} {whose:<24} {note}", markup=False)
        named = require_submissions(course, module, student if modules else None)
        count = sum(student in (None, one) for one in named)
        if count:
            work.append((module, sum(shard.has(module, one) for one in named) if shard else count))
    if not work:
        whose = f" by '{student}'" if student else ""
        raise CourseError(f"There is no submission{whose} to grade.", "Run 'tito collect INBOX' first.")
    before = set(read_journal(course.state))
    with _cluster(dask) if dask else nullcontext(engine_with(jobs or processors())) as engine:

        def graded(module: Module) -> "Iterator[Entry]":
            if shard:
                return grade_shard(course, module, shard, engine, isolation=isolation)
            return grade_module(course, module, student, engine=engine, isolation=isolation)

        entries = _run(work, graded)
    if shard:
        out().print(f"wrote {course.shown(write_shard(course, shard))}", markup=False)
        out().print("Next, when all shards are done: tito merge")
        return
    for entry in sorted(entries, key=lambda e: (e.module, e.student)):
        out().print(f"{entry.module:<16} {entry.student:<24} {entry.shown_status}", markup=False)
        for note in entry.shown_notes:
            out().print(f"    {note}", markup=False)
    if known := sum(entry in before for entry in entries):
        out().print(f"{known} of {len(entries)} have not changed since they were graded, and did not run again")
    out().print("Next: tito report, tito feedback")


def _cluster(address: str) -> "AbstractContextManager[Engine]":
    try:
        from tito.grading.cluster import cluster
    except ModuleNotFoundError as missing:
        if missing.name != "distributed":
            raise
        cure = "Run 'pip install -r requirements/scale.txt'."
        raise CourseError("Dask is not installed.", cure) from None
    return cluster(address)


def _run(work: list[tuple[Module, int]], graded: "Callable[[Module], Iterator[Entry]]") -> "list[Entry]":
    from tito.console import progress

    entries = []
    with progress() as bar:
        task = bar.add_task("", total=sum(count for _, count in work))
        for module, _ in work:
            bar.update(task, description=module.folder)
            for entry in graded(module):
                entries.append(entry)
                bar.advance(task)
    return entries


def merge(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Files that 'tito grade --shards K/N' wrote; all in .tito/ by default.")
    ] = None,
) -> None:
    """Put what shards have graded into the gradebook; done twice, it changes nothing."""
    from tito.console import out
    from tito.course import find_course
    from tito.grading.shards import FILES, merge, shards_folder

    course = find_course()
    paths = sorted(files or shards_folder(course).glob(FILES))
    if not paths:
        raise CourseError("There is no shard to merge.", "Run 'tito grade --shards K/N' for each K first.")
    done = merge(course, paths)
    out().print(
        f"{done.taken} taken, {done.known} known already, {done.outdated} of other work or other tests left out"
    )
    out().print("Next: tito grade, which runs what no shard has; tito report, tito feedback")
