"""How an error looks in a notebook: the message first, then only lines that the student can change."""

import linecache
import sys
import traceback
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any

from tito.sources.markers import UNWRITTEN

STUDENT_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NameError,
    RuntimeError,  # and so NotImplementedError
    TypeError,
    ValueError,
)
MOST_LINES = 4  # of a traceback; a function that calls itself without end has a thousand
HERE = Path(__file__).parent

Frame = tuple[FrameType, int]


def explain(shell: Any, kind: type[Exception], error: Exception, tb: TracebackType, tb_offset: Any = None) -> None:
    """Show an error of a cell (IPython's `set_custom_exc`): an answer to be written and a failing test in few lines.

    Every other error keeps IPython's traceback; `%tb` and `%debug` have the whole one in any case.
    """
    sys.last_type, sys.last_value, sys.last_traceback = kind, error, tb
    frames = list(traceback.walk_tb(tb))
    if isinstance(error, NotImplementedError) and error.args == (UNWRITTEN,):
        error.args = (f"not written yet: {_name(frames[-1][0].f_code)}",)
        shell._showtraceback(kind, error, [str(error)])
    elif lines := test_failure(frames, shell.user_ns, error):
        shell._showtraceback(kind, error, lines)
    else:
        shell.showtraceback((kind, error, tb), tb_offset=tb_offset)


def where(code: CodeType, number: int) -> str:
    """Where in its cell a line of code is, and what stands there; "" for code without a text, as a dataclass has it."""
    text = linecache.getline(code.co_filename, number).strip()
    return f"in {_name(code)}, line {number}: {text}" if text else ""


def test_failure(frames: list[Frame], cells: dict[str, Any], error: BaseException) -> list[str]:
    """The lines for an error that ended a test or a check; none for any other."""
    message = str(error).strip("\n")
    if isinstance(error, AssertionError) and message and _is_check(frames[-1][0].f_code):
        return f"failed: {message}".split("\n")
    remote = [words for *_, words in getattr(error, "places", ())]  # of an error in another process
    in_cells = [frame for frame in frames if frame[0].f_globals is cells]
    tests = [place for place, (frame, _) in enumerate(in_cells) if _is_test(frame.f_code)]
    if not tests:
        return []
    below = in_cells[tests[-1] + 1 :]
    if isinstance(error, AssertionError) and message and not below and not remote:
        return f"failed: {message}".split("\n")
    head = f"failed: {type(error).__name__}{': ' if message else ''}{message}"
    shown = below or (in_cells[tests[-1] :] if not remote else [])
    places = [*(where(frame.f_code, number) for frame, number in shown), *remote]
    return [*head.split("\n"), *(f"  {place}" for place in places[-MOST_LINES:] if place)]


def _is_check(code: CodeType) -> bool:
    return Path(code.co_filename).parent == HERE


def _is_test(code: CodeType) -> bool:
    return code.co_qualname.startswith("test_")


def _name(code: CodeType) -> str:
    """What the student calls the code: "matmul", "Tensor.reshape", "this cell"."""
    name = code.co_qualname.rpartition("<locals>.")[2]
    return "this cell" if name == "<module>" else name
