"""Where the commands print: results on stdout, problems on stderr; rich honours `NO_COLOR` and pipes by itself."""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING

from tito.printable import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

WIDEST = 10_000  # characters of a table's line


@cache
def out() -> "Console":
    """The console for results. Lines are never broken, so that `file:line` stays clickable and output can be piped."""
    return _console(stderr=False)


@cache
def err() -> "Console":
    """The console for problems."""
    return _console(stderr=True)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows below their heads, each text whole and as it stands: no name is markup, and no width cuts one."""
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text

    shown = Table(*heads, box=None, pad_edge=False)
    for row in rows:
        shown.add_row(*(Text(printable(text)) for text in row))
    shown.width = Measurement.get(out(), out().options.update(max_width=WIDEST), shown).maximum
    out().print(shown)


def progress() -> "Progress":
    """A bar beside the problems: what is done, of how many, and the time that is left; it vanishes at the end.

    Where there is no terminal, such as in a job's log, the same in a line from time to time.
    """
    from tito.progress import Bar  # here, because `tito --help` should start at once

    return Bar(err())


def _console(stderr: bool) -> "Console":
    from tito.terminal import Terminal  # here, because `tito --help` should start at once

    return Terminal(stderr=stderr, highlight=False, soft_wrap=True, emoji=False)
