"""The `tito` command: finds the commands in `tito/commands/` and turns errors into one sentence and a next step."""

import importlib
import os
import pkgutil
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from tito import __version__, commands
from tito.course import Course, find_course
from tito.errors import CourseError
from tito.failures import BUG, DEBUG, INTERRUPTED, MISTAKE, explain

WELCOME = """Build a machine learning framework, one notebook at a time.

New here? {steps}; when something does not work, [bold]tito doctor[/bold] says why."""
STUDENTS = "Students begin with [bold]tito start 01[/bold]"
USAGE: Any = typer.BadParameter.__base__  # of all errors of usage; typer exports this one of them
INSTRUCTORS = "instructors with [bold]tito build[/bold]"


class CommandsHere(TyperGroup):
    """The commands that make sense where one stands: in a student's kit those of a student, elsewhere all."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names that the help shows."""
        return [name for name in super().list_commands(ctx) if self._belongs_here(self.commands[name])]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command, or None when there is none of that name.

        Raises:
            CourseError: the command is an instructor's, and this is a kit.
        """
        command = super().get_command(ctx, cmd_name)
        if command and not self._belongs_here(command):
            raise CourseError(
                f"This is a student's kit, and 'tito {cmd_name}' is a command for instructors.",
                "See what there is with: tito --help",
            )
        return command

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help; a kit's begins with a student's first step alone."""
        course = course_here()
        self.help = WELCOME.format(steps=STUDENTS if course and course.is_kit else f"{STUDENTS}; {INSTRUCTORS}")
        super().format_help(ctx, formatter)

    @staticmethod
    def _belongs_here(command: Any) -> bool:
        course = course_here()
        return course is None or not course.is_kit or command.rich_help_panel == commands.STUDENT


app = typer.Typer(
    name="tito",
    cls=CommandsHere,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def course_here() -> Course | None:
    """The course or kit around the working directory, if there is one."""
    try:
        return find_course()
    except CourseError:
        return None


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"tito {__version__}")
        raise typer.Exit


@app.callback()
def tito(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Read the options that stand before any command."""


@cache
def register_commands() -> None:
    """Add the commands of every file in `tito/commands/`, panel by panel; once, however often it is called."""
    for found in sorted(pkgutil.iter_modules(commands.__path__), key=lambda file: file.name):
        importlib.import_module(f"tito.commands.{found.name}").register(app)
    order = {panel: place for place, panel in enumerate(commands.PANELS)}
    app.registered_commands.sort(key=lambda command: order[str(command.rich_help_panel)])


def main() -> None:
    """Run the command line; a person's mistake ends with exit code 2, a bug of ours with 70, neither in a traceback."""
    # jsonschema spends 1.4 s on a grammar of internationalised web addresses, when it is there; notebooks hold none
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    register_commands()
    try:
        code = app(prog_name="tito", standalone_mode=False) or 0
        if code == INTERRUPTED:  # what typer makes of Ctrl-C, while it reads the arguments and while a command runs
            typer.echo("Stopped.", err=True)
        sys.exit(code)
    except USAGE as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # a group alone; the help is shown already
            sys.exit(MISTAKE)
        command = error.ctx.command_path
        _stop(CourseError(f"{command}: {error.format_message().rstrip('.')}.", f"See how it is used: {command} --help"))
    except Exception as error:  # noqa: BLE001  (the last place where an error can become a sentence)
        _stop(error)


def _stop(error: Exception) -> None:
    course = course_here()
    logs = course.state if course else Path(tempfile.gettempdir())
    failure = explain(error, logs, "your instructor" if course and course.is_kit else "the maintainers of the course")
    from rich.markup import escape

    from tito.console import err

    if failure.code == BUG and os.environ.get(DEBUG):
        sys.excepthook(type(error), error, error.__traceback__)
    err().print(f"[bold red]Problem:[/] {escape(failure.problem)}")
    if failure.cure:
        err().print(f"[bold]Next:[/] {escape(failure.cure)}")
    sys.exit(failure.code)


if __name__ == "__main__":
    main()
