"""`tito milestone`: the history of the field on your own code."""

from typing import Annotated

import typer

from tito.commands import STUDENT


def register(app: typer.Typer) -> None:
    """Add `tito milestone` with its two commands."""
    group = typer.Typer(no_args_is_help=True, help="Run the famous networks of the past on your own package.")
    group.command("list")(list_milestones)
    group.command("run")(run)
    app.add_typer(group, name="milestone", rich_help_panel=STUDENT)


def list_milestones() -> None:
    """Show the milestones and what each still needs."""
    from tito.console import out
    from tito.course import find_course
    from tito.registry import MODULES
    from tito.student.milestones import find_milestones
    from tito.student.unwritten import missing_part

    course = find_course()
    lacking = {module.number: missing_part(course, module) for module in MODULES}
    for milestone in find_milestones(course):
        missing = ", ".join(filter(None, (lacking[module.number] for module in milestone.needs)))
        out().print(f"{milestone.folder:<20}  {milestone.title}", markup=False)
        state = f"still needs {missing}" if missing else "ready"
        out().print(f"{'':<20}  {state}", markup=False)


def run(
    name: Annotated[str, typer.Argument(help="Such as 1986, mlp or 03_1986_mlp.")],
    seeds: Annotated[
        str, typer.Option("--seed", "--seeds", help="Of the random numbers: one, or several such as 100-119.")
    ] = "0",
    readme: Annotated[
        bool, typer.Option("--readme", help="Write the table and the first picture into the milestone's README.")
    ] = False,
) -> None:
    """Train a milestone's network on the package in this folder; exit code 1 when it misses what it claims."""
    from tito.console import out
    from tito.course import find_course
    from tito.files import write_atomic
    from tito.student.claims import missed, run_seeds, table, with_table
    from tito.student.milestones import find_milestone

    def say(text: str) -> None:
        out().print(text, markup=False)

    course = find_course()
    milestone = find_milestone(course, name)
    numbers = parse_seeds(seeds)
    page = milestone.path.with_name("README.md")
    picture = (milestone.path if readme else course.pictures / milestone.path.name).with_suffix(".png")
    if readme:
        with_table(page.read_text(encoding="utf-8"), "")  # complains now rather than after minutes of training
    say(f"{milestone.title}\n")
    results = run_seeds(course, milestone, numbers, picture, say)
    if readme or len(numbers) > 1:
        say(f"\n{table(results, milestone.goals)}")
    if readme:
        write_atomic(page, with_table(page.read_text(encoding="utf-8"), table(results, milestone.goals)))
    wrong = missed(results, milestone.goals)
    if wrong:
        uses = ", ".join(f"{module.number:02d}" for module in milestone.needs)
        say(f"\nMissed: {'; '.join(wrong)}.")
        say(f"Next: run 'tito check' and then 'tito export' for the modules that it uses: {uses}.")
        raise typer.Exit(1)


def parse_seeds(text: str) -> range:
    """Read "7" or "100-119".

    Raises:
        CourseError: it is neither.
    """
    from tito.errors import CourseError

    ends = text.split("-")
    if len(ends) > 2 or not all(end.isdecimal() for end in ends) or int(ends[-1]) < int(ends[0]):
        raise CourseError(f"'{text}' is no seed.", "Give a number, such as 7, or the first and last, such as 100-119.")
    return range(int(ends[0]), int(ends[-1]) + 1)
