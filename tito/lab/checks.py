"""Checks that explain themselves: what was called, what was expected, what came, and what the difference shows."""

import ast
import inspect
import textwrap
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike

from tito.lab import beliefs
from tito.lab.calls import call_text, meanings
from tito.lab.evidence import evidence, failing_line
from tito.lab.next_steps import next_step

LONGEST_VALUE = 200  # characters


def check_close(
    got: Callable[[], ArrayLike] | ArrayLike,
    expected: ArrayLike,
    *,
    call: str = "",
    likely: str = "",
    rtol: float = 1e-4,
    atol: float = 1e-5,
) -> None:
    """Compare numbers, and explain a difference in at most twelve lines.

    Args:
        got: a function without arguments that makes the call: `lambda: f(x).data`. Its text is shown, and an error in
            it is explained like a wrong value. A value (a number, a list, an array) works too, with `call`.
        expected: the right values; its shape must match exactly.
        call: the call as a student would type it, where the text of `got` is not.
        rtol, atol: a value passes when |got - expected| <= atol + rtol * |expected|.

    Raises:
        AssertionError: shape or values differ, `got` is not numeric, or the call raised.

    Example:
        >>> check_close(lambda: [1.0, 2.0], [1.0, 2.0])
    """
    want = np.asarray(expected)
    check = _Check(got, call, want, _brief(want), likely)
    value = check.answer()
    if isinstance(value, memoryview):
        check.fail("an array's buffer", value, "", "the function returned an array: return a Tensor")
        return
    have = np.asarray(value) if value is not None else np.asarray("None")
    if have.dtype.kind not in "biufc":
        check.fail(f"{type(value).__name__}: {value!r:.60}", value)
    elif have.shape != want.shape:
        check.fail(_brief(have), have, f"shape {have.shape} instead of {want.shape}")
    else:
        wrong = ~np.isclose(have, want, rtol=rtol, atol=atol, equal_nan=True)
        if wrong.any():
            index = tuple(int(i) for i in np.argwhere(wrong)[0])
            where = f"first at index {index}: " if want.ndim else ""
            counts = f" ({int(wrong.sum())} of {want.size} differ)" if want.ndim else ""
            differs = f"{where}expected {want[index]:.6g}, got {have[index]:.6g}{counts}"
            check.fail(_brief(have), have, differs)


def check_equal(got: Any, expected: Any, *, call: str = "", likely: str = "") -> None:
    """Compare plain values (shapes, names, dtypes, counts) exactly; a whole number may be NumPy's.

    Args:
        got: a function without arguments that makes the call, or a value with `call`.
        expected: the right value.

    Raises:
        AssertionError: type or value differs, or the call raised.

    Example:
        >>> check_equal(lambda: len("abc"), 3)
    """
    check = _Check(got, call, expected, repr(expected), likely)
    value = check.answer()
    same_kind = type(value) is type(expected) or (type(expected) is int and isinstance(value, np.integer))
    if not same_kind or value != expected:
        check.fail(f"{value!r:.{LONGEST_VALUE}}", value)


def check_raises(
    error: type[Exception],
    function: Callable[..., Any],
    *args: Any,
    call: str = "",
    mentions: Sequence[str] = (),
    likely: str = "",
    **kwargs: Any,
) -> None:
    """Check that a call raises `error` with a message that holds every word of `mentions`.

    Args:
        error: the exception, or a parent of it.
        function: makes the call: `lambda: f(x)`; arguments may follow.
        mentions: words that the message must hold.

    Raises:
        AssertionError: nothing was raised, another exception was, or the message lacks a word.

    Example:
        >>> check_raises(ValueError, lambda: int("x"), mentions=["invalid"])
    """
    expected = f"{error.__name__}" + (f" that mentions {', '.join(map(repr, mentions))}" if mentions else "")
    step = f"let the call raise {expected} before it does anything else"
    check = _Check(function, call, expected, expected, likely, step)
    try:
        result = function(*args, **kwargs)
    except error as raised:
        missing = [word for word in mentions if word not in str(raised)]
        if missing:
            differs = f"the message lacks {', '.join(map(repr, missing))}"
            check.fail(_told(raised), raised, differs, "")
    except NotImplementedError:
        raise
    except (Exception, SystemExit) as raised:  # noqa: BLE001 - any other error is itself the finding, and fails the check
        check.fail(_told(raised), raised, "", failing_line(raised, function))
    else:
        check.fail(f"{type(result).__name__}, no error", f"no error, {type(result).__name__}", "", "")


def check_without(function: Callable[..., Any], *banned: str) -> None:
    """Check that an answer does without what its TODO forbids: names such as "sum", or the operator "@".

    Raises:
        AssertionError: the text of the function uses one of them.

    Example:
        >>> check_without(check_equal, "eval")
    """
    plain = inspect.unwrap(function)
    tree = ast.parse(textwrap.dedent(inspect.getsource(plain)))
    for node in ast.walk(tree):
        used = getattr(node, "attr", getattr(node, "id", ""))
        if isinstance(node, ast.MatMult):
            used = "@"
        if used in banned:
            name = plain.__name__
            expected = f"no {', '.join(banned)}"
            check = _Check(
                None, f"the text of {name}", expected, expected, "", "write it with the loops or steps asked for"
            )
            check.fail(f"it uses {used}", used, "", "")
            return


class _Check:
    """One check: what was asked, and what to say when it does not hold."""

    def __init__(self, got: Any, call: str, expected: Any, shown: str, likely: str, step: str = "") -> None:
        self.got, self.expected, self.shown, self.likely, self.step = got, expected, shown, likely, step
        self._call = call

    @property
    def call(self) -> str:
        """The text of the call."""
        return self._call or (call_text(self.got) if inspect.isfunction(self.got) else "the value")

    def answer(self) -> Any:
        """The value under test; an error in the call is the finding."""
        if not callable(self.got):
            return self.got
        try:
            return self.got()
        except NotImplementedError:
            raise  # an answer that is still to be written says so itself
        except (Exception, SystemExit) as raised:  # noqa: BLE001 - whatever it is, it is what the test found
            self.fail(_told(raised), raised, "", failing_line(raised, self.got))
            return self.expected

    def fail(self, shown: str, got: Any, differs: str = "", shows: str | None = None) -> None:
        """Explain the difference; while beliefs are recorded, only note it.

        Raises:
            AssertionError: always, but while recording.
        """
        if beliefs.note(self.call, self.expected, got):
            return
        if shows is None:
            shows = evidence(got, self.expected)
        rows = {
            "where": meanings(self.got) if inspect.isfunction(self.got) else "",
            "expected": self.shown,
            "got": shown,
            "differs": differs,
            "shows": shows,
            "belief": beliefs.belief(self.call, self.expected, got),
            "likely": self.likely,
            "next": self.step or next_step(got),
        }
        _stop([self.call, *(f"  {name:<8}  {text}" for name, text in rows.items() if text)])


def _stop(lines: list[str]) -> NoReturn:
    raise AssertionError("\n".join(["", *lines])) from None


def _told(raised: BaseException) -> str:
    text = "it called exit() or sys.exit()" if isinstance(raised, SystemExit) else str(raised)
    return f"{type(raised).__name__}: {text}".removesuffix(": ")[:LONGEST_VALUE]


def _brief(values: np.ndarray) -> str:
    """At most six values on one line."""
    flat = values.reshape(-1)
    shown = ", ".join(f"{v:.6g}" if isinstance(v, float | np.floating) else str(v) for v in flat[:6].tolist())
    return f"[{shown}{', ...' if flat.size > 6 else ''}]  shape {values.shape}"
