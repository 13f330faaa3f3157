"""Read what a student handed in, whatever state it is in, without trusting any of it."""

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tito.sources.cells import Cell, plain_newlines

MAX_BYTES = 5 * 1024 * 1024
REFUSED = "refused"  # key under which `tito collect` notes why it did not copy a file


class Unreadable(Exception):
    """The file holds no notebook; the message says why, in words for the student."""


@dataclass(frozen=True)
class Submission:
    """The cells of a submitted notebook, its language, and what had to be put right to read it."""

    cells: tuple[Cell, ...]
    language: str
    repairs: tuple[str, ...]


def read_bytes(path: Path) -> bytes:
    """Return the content of a submitted file of at most 5 MB.

    Raises:
        Unreadable: a symbolic link, not a regular file, or too large (then nothing of it is read).
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if path.is_symlink():
        raise Unreadable("the file is a symbolic link, not a notebook")
    try:
        handle = os.open(path, flags)
    except OSError as error:
        raise Unreadable(f"the file cannot be opened ({error.strerror})") from None
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise Unreadable("this is not a regular file")
        if facts.st_size > MAX_BYTES:
            size, most = facts.st_size / 1e6, MAX_BYTES / 1e6
            raise Unreadable(f"the file has {size:.1f} MB; the limit is {most:.1f} MB; clear its outputs")
        with os.fdopen(handle, "rb", closefd=False) as file:
            data = file.read(MAX_BYTES + 1)
    finally:
        os.close(handle)
    if len(data) > MAX_BYTES:
        raise Unreadable(f"the file is larger than {MAX_BYTES / 1e6:.1f} MB")
    return data


def parse_submission(data: bytes) -> Submission:
    """Return the cells of a submitted notebook, tolerating everything that leaves them recognisable.

    Raises:
        Unreadable: not JSON, or JSON without notebook cells.
    """
    if not data.strip():
        raise Unreadable("the file is empty")
    repairs: list[str] = []
    text = _decode(data, repairs)
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError):
        raise Unreadable("the file is not a notebook: its content is not valid JSON") from None
    if not isinstance(notebook, dict):
        raise Unreadable("the file is JSON, but not a notebook")
    if REFUSED in notebook and "cells" not in notebook:
        raise Unreadable(_as_text(notebook[REFUSED])[:200])
    raw = _raw_cells(notebook, repairs)
    cells = tuple(_cell(entry, number) for number, entry in enumerate(raw, start=1) if isinstance(entry, dict))
    if len(cells) < len(raw):
        repairs.append(f"{len(raw) - len(cells)} entries of the notebook were not cells and were left out.")
    if not cells:
        raise Unreadable("the notebook has no cells")
    return Submission(cells, _language(notebook), tuple(repairs))


def _decode(data: bytes, repairs: list[str]) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        repairs.append("The file was saved as UTF-16; notebooks are UTF-8.")
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        repairs.append("The file was not saved as UTF-8; it was read as Latin-1.")
        return data.decode("latin-1")


def _raw_cells(notebook: dict[str, Any], repairs: list[str]) -> list[Any]:
    cells = notebook.get("cells")
    if isinstance(cells, list):
        return cells
    sheets = notebook.get("worksheets")  # notebook format 3 and older
    if isinstance(sheets, list):
        repairs.append("The notebook was saved in an old format (nbformat 3) and was converted.")
        return [cell for sheet in sheets if isinstance(sheet, dict) for cell in _as_list(sheet.get("cells"))]
    raise Unreadable("the file is JSON, but has no notebook cells")


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _as_dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _as_text(value: Any) -> str:
    if isinstance(value, list):
        value = "".join(part for part in value if isinstance(part, str))
    text = value if isinstance(value, str) else ""
    return text.encode("utf-8", errors="replace").decode("utf-8")  # JSON can smuggle in lone surrogates


def _cell(entry: dict[str, Any], number: int) -> Cell:
    kind = entry.get("cell_type")
    return Cell(
        kind=kind if kind in ("code", "markdown") else "raw",
        source=plain_newlines(_as_text(entry.get("source", entry.get("input", "")))),
        metadata=_as_dict(entry.get("metadata")),
        number=number,
        id=_as_text(entry.get("id")),
    )


def _language(notebook: dict[str, Any]) -> str:
    kernel = _as_dict(_as_dict(notebook.get("metadata")).get("kernelspec"))
    return _as_text(kernel.get("language")) or _as_text(kernel.get("name")) or "python"


def format_repairs(submission: Submission) -> list[str]:
    """Say what of a notebook's kernel, tags and versions was not used."""
    repairs = []
    if not submission.language.lower().startswith("python"):
        repairs.append(f"The notebook was set to a '{submission.language[:40]}' kernel; it was run with Python.")
    if any(_skipped(cell) for cell in submission.cells):
        repairs.append("A cell was tagged 'skip-execution'; the tag was ignored.")
    versions = sorted({_version(cell) for cell in submission.cells if cell.grade_id} - {"3"})
    if versions:
        repairs.append(f"The nbgrader metadata had schema version {', '.join(versions)[:60]}; the original was used.")
    return repairs


def _skipped(cell: Cell) -> bool:
    tags = cell.metadata.get("tags")
    return isinstance(tags, list) and "skip-execution" in tags


def _version(cell: Cell) -> str:
    """The schema version of the metadata; what a student's file has in its place need not even be printable."""
    version = cell.nbgrader.get("schema_version")
    return str(version) if isinstance(version, int) else "none"
