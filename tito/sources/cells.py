"""Read a teaching source (`_dev.py`) or a notebook of ours (`.ipynb`) into cells; `tito.engine` reads students'."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tito.errors import CourseError

CELL_MARKER = re.compile(r"# ?%%+(\s|$)")
TEXT_QUOTE = re.compile(r'r?("""|\'\'\')$')
DIRECTIVE = re.compile(r"#\|\s*(\S*)\s*(.*?)\s*$")


@dataclass(frozen=True)
class Cell:
    """One cell of a source or notebook.

    kind:     "code", "markdown" or "raw".
    source:   its text.
    metadata: its metadata, without what only Jupytext needs.
    number:   its place in the notebook, 1-based.
    line:     the line of the file on which `source` starts, 1-based; 0 in a notebook, whose lines nobody sees.
    id:       the notebook format's cell id, "" where there is none.
    """

    kind: str
    source: str
    metadata: dict[str, Any]
    number: int
    line: int = 0
    id: str = ""

    @property
    def lines(self) -> list[str]:
        """The text as Python counts its lines (`str.splitlines` also splits at form feeds)."""
        return self.source.split("\n")

    @property
    def nbgrader(self) -> dict[str, Any]:
        """nbgrader's part of the metadata, empty when nbgrader does not manage the cell."""
        managed = self.metadata.get("nbgrader")
        return managed if isinstance(managed, dict) else {}

    @property
    def grade_id(self) -> str:
        """nbgrader's name of the cell, "" when it has none."""
        name = self.nbgrader.get("grade_id")
        return name if isinstance(name, str) else ""

    @property
    def name(self) -> str:
        """What people call the cell: its `grade_id` or its place."""
        return f"'{self.grade_id}'" if self.grade_id else f"{self.number}"

    @property
    def directives(self) -> list[tuple[str, str]]:
        """The block of `#|` lines at the top of a code cell as (word, value): `#| default_exp core.x`, `#| export`."""
        if self.kind != "code":
            return []
        found = []
        for line in self.lines:
            match = DIRECTIVE.match(line)
            if not match:
                break
            found.append((match[1], match[2]))
        return found

    @property
    def exported(self) -> bool:
        """Whether the cell starts with `#| export` (alone or under `#| default_exp`)."""
        return any(word == "export" for word, _ in self.directives)

    @property
    def folded(self) -> bool:
        """Whether a notebook opens with the cell's text folded away."""
        settings = self.metadata.get("jupyter")
        return isinstance(settings, dict) and settings.get("source_hidden") is True

    def where(self, line: int) -> str:
        """Name a line of this cell (1-based) for an error message, with the file's line where it is known."""
        inside = f"cell {self.name}, line {line}"
        return f"{inside} (line {self.line + line - 1} of the file)" if self.line else inside


def read_cells(path: Path) -> list[Cell]:
    """Return the cells of a percent-format `.py` file or of a notebook.

    Raises:
        CourseError: the file is missing, not UTF-8, or not a source or notebook.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise CourseError(f"{path} does not exist.", "Check the name and the folder you are in.") from None
    except IsADirectoryError:
        raise CourseError(f"{path} is a folder.", "Name the notebook or source inside it.") from None
    except UnicodeDecodeError:
        raise CourseError(f"{path} is not UTF-8 text.", "Save it again as UTF-8.") from None
    if path.suffix == ".ipynb":
        return _notebook_cells(text, path)
    if path.suffix == ".py":
        return _percent_cells(text, path)
    raise CourseError(f"{path} is neither a notebook nor a Python source.", "Name a .ipynb or a _dev.py file.")


def _notebook_cells(text: str, path: Path) -> list[Cell]:
    try:
        notebook = json.loads(text)
        entries = notebook["cells"]
        return [
            Cell(entry["cell_type"], plain_newlines("".join(entry["source"])), dict(entry.get("metadata", {})), number)
            for number, entry in enumerate(entries, start=1)
        ]
    except (ValueError, RecursionError):
        raise CourseError(
            f"{path} is not a notebook: its content is not valid JSON.", "Save it again in Jupyter."
        ) from None
    except (KeyError, TypeError, AttributeError):
        cure = "Open it in Jupyter and save it, or fetch a fresh copy."
        raise CourseError(f"{path} has no notebook cells of the current format (nbformat 4).", cure) from None


def plain_newlines(text: str) -> str:
    """Return `text` with the line ends of Unix."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _percent_cells(text: str, path: Path) -> list[Cell]:
    import jupytext  # type: ignore[import-untyped]  # slow to import, and only authors need it

    notebook = jupytext.reads(text, fmt="py:percent")
    starts = _cell_starts(text)
    if len(starts) != len(notebook.cells):
        problem = f"{path} has {len(starts)} lines that start with '# %%', but {len(notebook.cells)} cells."
        raise CourseError(problem, "Put no text above the first cell and no '# %%' line inside a string.")
    jupytext_only = ("lines_to_next_cell", "lines_to_end_of_cell_marker", "cell_marker")
    return [
        Cell(
            cell.cell_type,
            cell.source,
            {key: value for key, value in cell.metadata.items() if key not in jupytext_only},
            number,
            line,
        )
        for number, (cell, line) in enumerate(zip(notebook.cells, starts, strict=True), start=1)
    ]


def _cell_starts(text: str) -> list[int]:
    """The 1-based line on which each cell's text starts: under the marker and an opening quote."""
    lines = text.splitlines()
    starts = []
    for marker, line in enumerate(lines):
        if CELL_MARKER.match(line):
            text_cell = "[markdown]" in line or "[raw]" in line
            quoted = text_cell and marker + 1 < len(lines) and TEXT_QUOTE.match(lines[marker + 1])
            starts.append(marker + (3 if quoted else 2))
    return starts
