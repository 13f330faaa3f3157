"""Checks that explain themselves: what was called, what was expected, what came, and where they differ."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

NEXT_STEP = "print both values for one small input and follow the first line that differs"


def _brief(values: np.ndarray) -> str:
    """At most six values on one line."""
    flat = values.reshape(-1)
    shown = ", ".join(f"{v:.6g}" if isinstance(v, float | np.floating) else str(v) for v in flat[:6].tolist())
    return f"[{shown}{', ...' if flat.size > 6 else ''}]  shape {values.shape}"


def _message(call: str, expected: str, got: str, differs: str, likely: str, next_step: str) -> str:
    lines = [call, f"  expected  {expected}", f"  got       {got}"]
    lines += [f"  differs   {differs}"] if differs else []
    lines += [f"  likely    {likely}"] if likely else []
    return "\n".join(["", *lines, f"  next      {next_step}"])


def _answer(got: Any, call: str, expected: str, likely: str, next_step: str) -> Any:
    """The value under test; a function without arguments is called, and an error in it is the finding."""
    if not callable(got):
        return got
    try:
        return got()
    except NotImplementedError:
        raise  # an answer that is still to be written says so itself
    except Exception as raised:
        answer = f"{type(raised).__name__}: {raised}"
        raise AssertionError(_message(call, expected, answer[:200], "", likely, next_step)) from raised


def check_close(
    got: ArrayLike | Callable[[], ArrayLike],
    expected: ArrayLike,
    *,
    call: str,
    likely: str = "",
    next_step: str = NEXT_STEP,
    rtol: float = 1e-4,
    atol: float = 1e-5,
) -> None:
    """Compare numbers, and explain a difference in at most twelve lines.

    Args:
        got: what the code under test returned: a number, a list or an array (a Tensor's `.data`); or a function
            without arguments that makes the call, where an error is likely: it is then explained like a wrong value.
        expected: the right values; its shape must match exactly.
        call: the call as a student would type it.
        likely: the most likely cause of a difference.
        next_step: what to try first.
        rtol, atol: a value passes when |got - expected| <= atol + rtol * |expected|.

    Raises:
        AssertionError: shape or values differ, or `got` is not numeric.

    Example:
        >>> check_close([1.0, 2.0], [1.0, 2.0], call="f(x)")
    """
    want = np.asarray(expected)
    got = _answer(got, call, _brief(want), likely, next_step)
    if isinstance(got, memoryview):
        raise AssertionError(
            _message(call, _brief(want), "an array's buffer", "", "the function returned an array", "return a Tensor")
        )
    have = np.asarray(got)
    if have.dtype.kind not in "biufc":
        raise AssertionError(_message(call, _brief(want), f"{type(got).__name__}: {got!r:.60}", "", likely, next_step))
    if have.shape != want.shape:
        differs = f"shape {have.shape} instead of {want.shape}"
        raise AssertionError(_message(call, _brief(want), _brief(have), differs, likely, next_step))
    wrong = ~np.isclose(have, want, rtol=rtol, atol=atol, equal_nan=True)
    if wrong.any():
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        where = f"first at index {index}: " if want.ndim else ""
        differs = f"{where}expected {want[index]:.6g}, got {have[index]:.6g} ({int(wrong.sum())} of {want.size} differ)"
        raise AssertionError(_message(call, _brief(want), _brief(have), differs, likely, next_step))


def check_equal(got: Any, expected: Any, *, call: str, likely: str = "", next_step: str = NEXT_STEP) -> None:
    """Compare plain values (shapes, names, dtypes, counts) exactly.

    Raises:
        AssertionError: type or value differs.

    Example:
        >>> check_equal((2, 3), (2, 3), call="x.shape")
    """
    got = _answer(got, call, repr(expected), likely, next_step)
    if type(got) is not type(expected) or got != expected:
        raise AssertionError(_message(call, repr(expected), f"{got!r:.200}", "", likely, next_step))


def check_raises(
    error: type[Exception],
    function: Callable[..., Any],
    *args: Any,
    call: str,
    mentions: Sequence[str] = (),
    likely: str = "",
    **kwargs: Any,
) -> None:
    """Check that `function(*args, **kwargs)` raises `error` with a message that holds every word of `mentions`.

    Raises:
        AssertionError: nothing was raised, another exception was, or the message lacks a word.

    Example:
        >>> check_raises(ValueError, int, "x", call='int("x")', mentions=["invalid"])
    """
    expected = f"{error.__name__}" + (f" that mentions {', '.join(map(repr, mentions))}" if mentions else "")
    try:
        result = function(*args, **kwargs)
    except error as raised:
        missing = [word for word in mentions if word not in str(raised)]
        if missing:
            got = f"{type(raised).__name__}: {raised}"
            differs = f"the message lacks {', '.join(map(repr, missing))}"
            raise AssertionError(_message(call, expected, got[:200], differs, likely, NEXT_STEP)) from None
    except Exception as raised:  # noqa: BLE001 - any other error is itself the finding, and fails the check
        got = f"{type(raised).__name__}: {raised}"
        raise AssertionError(_message(call, expected, got[:200], "", likely, NEXT_STEP)) from None
    else:
        raise AssertionError(_message(call, expected, f"{type(result).__name__}, no error", "", likely, NEXT_STEP))
