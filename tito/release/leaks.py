"""Find answers in public files, in whatever they were pasted: code, text, an output, a docstring, two cells."""

import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tito.errors import CourseError
from tito.release.secrets import Line, Secrets, Statements, neighbours, sequences, tidy_lines


@dataclass(frozen=True)
class Text:
    """What somebody reads in one go: a file, or the cells of a notebook as its parts.

    path:  the file.
    parts: the name of each part, "" for a whole file, its text, and whether it can be code.
    """

    path: Path
    parts: tuple[tuple[str, str, bool], ...]


@dataclass(frozen=True)
class Leak:
    """One secret in a public file: its file, the part of it, the line in there, where it comes from, and the text."""

    path: Path
    part: str
    line: int
    origin: str
    text: str


def check_public(secrets: Secrets, folder: Path) -> None:
    """Look for answers in everything below `folder`.

    Raises:
        CourseError: one was found; the message names file and line.
    """
    leaks = find_leaks(secrets, read_texts(folder))
    if leaks:
        leak = leaks[0]
        words = (leak.path.relative_to(folder).as_posix(), leak.part, f"line {leak.line}")
        place = ", ".join(word for word in words if word)
        more = f" ({len(leaks) - 1} more)" if len(leaks) > 1 else ""
        problem = f"{place}, would give away {leak.origin}: '{leak.text}'{more}."
        raise CourseError(problem, "Write the public line another way, or move it into the hidden part only.")


def read_texts(folder: Path) -> Iterator[Text]:
    """Yield every text file below a folder; of a notebook its cells, then what else each cell holds."""
    for path in sorted(folder.rglob("*")):
        content = path.read_bytes() if path.is_file() else b"\0"
        if b"\0" in content:  # no text
            continue
        text = content.decode("utf-8", errors="replace")
        if path.suffix == ".ipynb":
            yield from _notebook_texts(path, json.loads(text)["cells"])
        else:
            yield Text(path, (("", text, True),))


def _notebook_texts(path: Path, cells: list[dict[str, object]]) -> Iterator[Text]:
    named = [(f"cell {number}", cell) for number, cell in enumerate(cells, start=1)]
    yield Text(path, tuple((name, _source(cell), cell["cell_type"] == "code") for name, cell in named))
    for name, cell in named:
        others = "\n".join(_strings([value for key, value in cell.items() if key != "source"]))
        yield Text(path, ((f"{name}, beside its source", others, True),))


def _source(cell: dict[str, object]) -> str:
    return "".join(_strings(cell["source"]))


def _strings(value: object) -> Iterator[str]:
    """Every text inside a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _strings(inner)


def find_leaks(secrets: Secrets, texts: Iterable[Text]) -> list[Leak]:
    """Return the secrets that stand in public texts."""
    leaks: list[Leak] = []
    for text in texts:
        lines = [line for part, source, code in text.parts for line in tidy_lines(source, part, code)]
        leaks += _line_leaks(secrets, text.path, lines)
        for part, source, _ in text.parts:
            for name, statements in sequences(source):
                leaks += _statement_leaks(secrets, text.path, part, name, statements)
    return leaks


def _line_leaks(secrets: Secrets, path: Path, lines: list[Line]) -> Iterator[Leak]:
    for line in lines:
        if line.text in secrets.lines:
            yield Leak(path, line.part, line.number, secrets.lines[line.text], line.text)
    for first, second in neighbours(lines):
        pair = (first.text, second.text)
        if pair in secrets.pairs:
            yield Leak(path, first.part, first.number, secrets.pairs[pair], " / ".join(pair))


def _statement_leaks(secrets: Secrets, path: Path, part: str, name: str, statements: Statements) -> Iterator[Leak]:
    for node, text in statements:
        if (name, text) in secrets.named:
            yield Leak(path, part, node.lineno, secrets.named[name, text], text.splitlines()[0])
    for (node, first), (_, second) in itertools.pairwise(statements):
        if (first, second) in secrets.steps:
            yield Leak(path, part, node.lineno, secrets.steps[first, second], first.splitlines()[0])
