"""The `tito` command: finds the commands in `tito/commands/` and turns errors into one sentence and a next step."""

import importlib
import pkgutil
import sys
from typing import Annotated

import typer

from tito import __version__, commands
from tito.errors import CourseError

app = typer.Typer(
    name="tito",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


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
    """Build a machine learning framework, one notebook at a time.

    New here? Students begin with [bold]tito start 01[/bold]; instructors with [bold]tito build[/bold];
    when something does not work, [bold]tito doctor[/bold] says why.
    """


def register_commands() -> None:
    """Add the commands of every file in `tito/commands/`, panel by panel."""
    for found in sorted(pkgutil.iter_modules(commands.__path__), key=lambda file: file.name):
        importlib.import_module(f"tito.commands.{found.name}").register(app)
    order = {panel: place for place, panel in enumerate(commands.PANELS)}
    app.registered_commands.sort(key=lambda command: order[str(command.rich_help_panel)])


def main() -> None:
    """Run the command line; a person's mistake ends with exit code 2 and no traceback."""
    # jsonschema spends 1.4 s on a grammar of internationalised web addresses, when it is there; notebooks hold none
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    register_commands()
    try:
        app(prog_name="tito")
    except CourseError as error:
        _stop(error.problem, error.cure)
    except OSError as error:
        _stop(
            f"{error.filename or 'A file'}: {error.strerror or error}.",
            "Check the folder's permissions and free space.",
        )


def _stop(problem: str, cure: str) -> None:
    from tito.console import err

    err().print(f"[bold red]Problem:[/] {_plain(problem)}")
    if cure:
        err().print(f"[bold]Next:[/] {_plain(cure)}")
    sys.exit(2)


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)


if __name__ == "__main__":
    main()
