"""Errors and warnings of the box as ours: with the names of their classes, and their places in the page."""

import builtins
import linecache
import re
import weakref
from collections.abc import Callable
from typing import Any

CELL = re.compile(r"<ipython-input-(\d{1,6})-\w+>")  # how IPython calls the file of a cell


class Raised:
    """Mixed into the exceptions that come from the box: their message, and where they came up."""

    remote_text = ""
    remote_number = 0
    places: tuple[tuple[str, str, str], ...] = ()  # name, qualified name, where in the page; the innermost last

    def __str__(self) -> str:
        return self.remote_text


class Reports:
    """What the box says of errors and warnings.

    texts:  cell -> its lines.
    counts: execution count -> cell.
    """

    def __init__(self, forget: Callable[[int], None]) -> None:
        self._forget = forget
        self.texts: dict[int, list[str]] = {}
        self.counts: dict[int, int] = {}
        self._classes: dict[int, Any] = {}
        self._warned: dict[str, dict[Any, Any]] = {}  # file -> what Python keeps of its warnings

    def warning(self, word: Any, text: Any, file: Any, line: Any) -> dict[str, Any]:
        """A warning of the box as ours, with its place in the page; one whose class we do not know is a plain one."""
        kind = getattr(builtins, str(word), None)
        known = isinstance(kind, type) and issubclass(kind, Warning)
        cell = CELL.match(str(file))
        lines = self.texts.get(self.counts.get(int(cell[1]), -1), []) if cell else []
        if lines:
            linecache.cache[str(file)] = (1, None, [f"{line}\n" for line in lines], str(file))
        return {
            "message": str(text)[:500],
            "category": kind if known else UserWarning,
            "filename": str(file)[:200],
            "lineno": max(0, min(int(line), 1_000_000)),
            "module": "__main__" if cell else None,
            "registry": self._warned.setdefault(str(file)[:200], {}),
        }

    def error(self, told: dict[str, Any]) -> BaseException:
        """An error of the box as ours; when nobody here holds it any more, the box is told."""
        kind = self.error_class(told["class"])
        error: Any = kind.__new__(kind)
        error.remote_text, error.remote_number = str(told["text"])[:4000], int(told["number"])
        error.args = (error.remote_text,)
        weakref.finalize(error, self._forget, error.remote_number).atexit = False
        error.places = tuple(filter(None, (self.place(*place) for place in told["places"][-50:])))
        if isinstance(told["name"], str) and isinstance(error, NameError | AttributeError):
            error.name = told["name"][:200]
        return error  # type: ignore[no-any-return]

    def place(self, cell: Any, name: Any, whole: Any, line: Any) -> tuple[str, str, str] | None:
        """Where in the page something was raised, in the words of `tito.lab.failures.where`."""
        lines, called = self.texts[int(cell)], str(whole)[:200].rpartition("<locals>.")[2]
        text = lines[int(line) - 1].strip() if 0 < int(line) <= len(lines) else ""
        shown = "this cell" if called == "<module>" else called
        return (str(name)[:200], shown, f"in {shown}, line {int(line)}: {text}") if text else None

    def error_class(self, told: Any) -> Any:
        """Our picture of an exception's class, with the same built-in parents."""
        number, name, parents = told
        if number == 0:
            kind = getattr(builtins, str(name), None)
            good = isinstance(kind, type) and (issubclass(kind, Exception) or kind is SystemExit)
            return _mirror(str(name), (kind,), 0) if good else _mirror("RuntimeError", (RuntimeError,), 0)
        if number not in self._classes:
            above = tuple(self.error_class(parent) for parent in parents[:4])
            self._classes[number] = _mirror(str(name)[:200].replace("\0", ""), above or (Exception,), number)
        return self._classes[number]


_mirrors: dict[str, type] = {}


def _mirror(name: str, parents: tuple[Any, ...], number: int) -> type:
    if number == 0 and name in _mirrors:
        return _mirrors[name]
    own = () if any(issubclass(parent, Raised) for parent in parents) else (Raised,)
    try:
        kind = type(name, (*own, *parents), {"remote_number": number})
    except TypeError:  # parents that do not go together
        kind = type(name, (Raised, RuntimeError), {"remote_number": number})
    if number == 0:
        _mirrors[name] = kind
    return kind
