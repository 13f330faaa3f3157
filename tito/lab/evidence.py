"""What a wrong answer itself shows: statements that are true of the numbers, and no guess about the reason."""

import itertools
from collections.abc import Callable
from fractions import Fraction
from traceback import walk_tb
from typing import Any

import numpy as np

from tito.lab.failures import where

GATE = "apply"  # what `@op` wraps every operation in: the line to look at is the caller's
SIMPLE = 64  # the largest denominator of a factor that is told as a fraction


def evidence(got: Any, expected: Any) -> str:
    """Say in one sentence what is conspicuous about `got`, "" when nothing is.

    Example:
        >>> evidence(np.array([2.0, 4.0]), np.array([1.0, 2.0]))
        'every value is 2 times the expected one'
    """
    if got is None:
        return "the answer is None: is a `return` missing?"
    if isinstance(expected, str) and expected == "float32" and isinstance(got, str):
        return f"the numbers are {got}, not the course's float32"
    if type(expected) is int and isinstance(got, float | np.floating) and got == expected:
        return "the number is right, but it is a float: divide with //, or take int(...)"
    have, want = _numbers(got), _numbers(expected)
    if have is None or want is None:
        return _plain(got, expected)
    if have.shape != want.shape:
        return _about_shape(have, want)
    if _same(have, want):  # so near that a factor of 1 or the order of the values would be told
        return _confined(have, want)
    looks = LOOKS_AT_TRUTH if _is_truth(got) and _is_truth(expected) else LOOKS
    return next(filter(None, (look(have, want) for look in looks)), "")


def failing_line(error: BaseException, test: Callable[..., Any]) -> str:
    """Say where in the page's own code an exception was raised: the innermost frame there that is no test.

    Args:
        error: what was raised.
        test: a function of the test; the page's code shares its global names.
    """
    page = getattr(test, "__globals__", None)
    for name, _, place in reversed(getattr(error, "places", ())):  # of an error in another process
        if not name.startswith(("test_", "<")) and name != GATE:
            return f"raised {place}"
    for frame, number in reversed([*walk_tb(error.__traceback__)]):
        name, place = frame.f_code.co_name, where(frame.f_code, number)
        if frame.f_globals is page and not name.startswith(("test_", "<")) and name != GATE and place:
            return f"raised {place}"
    return ""


def _numbers(value: Any) -> np.ndarray | None:
    if isinstance(value, bool | str):
        return None
    if isinstance(value, int | float | np.ndarray | np.number) or (
        isinstance(value, list)
        and all(type(item) is not bool and isinstance(item, int | float | list) for item in value)
    ):
        try:
            array = np.asarray(value)
        except ValueError:
            return None
        return array.astype(np.float64) if array.dtype.kind in "iufb" else None
    return None


def _is_truth(value: Any) -> bool:
    return np.asarray(value).dtype == np.bool_


def _plain(got: Any, expected: Any) -> str:
    if isinstance(expected, np.ndarray) and isinstance(got, list | tuple):  # which passes when it holds the numbers
        return "the answer holds None: is a `return` missing?" if any(item is None for item in got) else ""
    if type(got) is not type(expected):
        return f"the answer is a {type(got).__name__}, not a {type(expected).__name__}"
    if isinstance(expected, tuple | list):
        if len(got) != len(expected):
            return f"the answer has {len(got)} entries, not {len(expected)}"
        if sorted(map(repr, got)) == sorted(map(repr, expected)):
            return "the right entries in another order"
        wrong = [place for place, pair in enumerate(zip(got, expected, strict=True)) if repr(pair[0]) != repr(pair[1])]
        if len(wrong) == 1 < len(expected):
            return f"only entry {wrong[0]} differs"
    return ""


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    scale = float(np.max(np.abs(other), initial=0.0, where=np.isfinite(other)))
    return bool(np.allclose(one, other, rtol=1e-3, atol=1e-5 * max(scale, 1e-6), equal_nan=True))


def _about_shape(have: np.ndarray, want: np.ndarray) -> str:
    if have.size == want.size:
        ones = [n for n in have.shape if n != 1] == [n for n in want.shape if n != 1]
        if ones and _same(have.reshape(want.shape), want):
            return "the numbers are right; only axes of size 1 differ"
        order = _axes_order(have, want)
        if order:
            return f"the numbers are right, but the axes come in the order {order}"
        if _same(have.reshape(want.shape), want):
            return "the numbers are right and in order, in another shape"
    return ""


def _axes_order(have: np.ndarray, want: np.ndarray) -> tuple[int, ...] | None:
    """The order in which `have` holds the axes of `want`, unless it is the right one."""
    if have.ndim != want.ndim or not 2 <= have.ndim <= 4:
        return None
    for order in itertools.permutations(range(want.ndim)):
        if order != tuple(range(want.ndim)):
            turned = want.transpose(order)
            if turned.shape == have.shape and _same(have, turned):
                return order
    return None


def _not_finite(have: np.ndarray, want: np.ndarray) -> str:
    bad = ~np.isfinite(have) & np.isfinite(want)
    if not bad.any():
        return ""
    kinds = [name for name, test in (("nan", np.isnan), ("infinite", np.isinf)) if test(have[bad]).any()]
    return f"{int(bad.sum())} of {have.size} values are {' or '.join(kinds)}"


def _constant(have: np.ndarray, want: np.ndarray) -> str:
    if have.size > 1 and np.ptp(have) == 0:
        return f"every value is {have.flat[0]:.6g}"
    return ""


def _factor(have: np.ndarray, want: np.ndarray) -> str:
    some = np.abs(want) > 1e-6 * max(float(np.abs(want).max(initial=0)), 1e-12)
    if some.sum() < 2 or not np.isfinite(have).all() or np.ptp(np.abs(want[some])) == 0:
        return ""
    ratio = float(np.median(have[some] / want[some]))
    error = np.abs(have - ratio * want)
    if ratio == 0 or (error > 1e-3 * np.abs((ratio - 1) * want) + 1e-6 * np.abs(have).max()).any():
        return ""
    if abs(ratio + 1) < 1e-3:
        return "every value has the opposite sign"
    simple = Fraction(ratio).limit_denominator(SIMPLE)
    near = simple.denominator > 1 and abs(float(simple) - ratio) < 1e-4 * abs(ratio)
    return f"every value is {simple if near else format(ratio, '.4g')} times the expected one"


def _offset(have: np.ndarray, want: np.ndarray) -> str:
    if have.size < 2 or np.ptp(want) == 0 or not np.isfinite(have).all():
        return ""
    by = float(np.median(have - want))
    if by and _same(have - by, want) and np.ptp(have - want) < 1e-3 * abs(by):
        return f"every value is too {'large' if by > 0 else 'small'} by {abs(by):.4g}"
    return ""


def _signs(have: np.ndarray, want: np.ndarray) -> str:
    if have.size > 1 and _same(np.abs(have), np.abs(want)):
        return f"the sizes are right, {int((np.sign(have) != np.sign(want)).sum())} of {have.size} signs are not"
    return ""


def _order(have: np.ndarray, want: np.ndarray) -> str:
    order = _axes_order(have, want)
    if order:
        return "the answer is transposed" if have.ndim == 2 else f"the axes come in the order {order}"
    if have.size > 2 and _same(np.sort(have, axis=None), np.sort(want, axis=None)):
        return "the right values in another order"
    return ""


def _confined(have: np.ndarray, want: np.ndarray) -> str:
    """All that differs lies at one index of one axis."""
    wrong = ~np.isclose(have, want, rtol=1e-4, atol=1e-5, equal_nan=True)
    for axis in range(wrong.ndim):
        others = tuple(i for i in range(wrong.ndim) if i != axis)
        where = np.flatnonzero(wrong.any(axis=others))
        if len(where) == 1 and wrong.shape[axis] > 2 and wrong.sum() > 1:
            return f"all that differs lies at index {where[0]} of axis {axis}"
    return ""


def _one_truth(have: np.ndarray, want: np.ndarray) -> str:
    if have.size > 1 and np.ptp(have) == 0:
        return f"every value is {bool(have.flat[0])}"
    return ""


def _opposite(have: np.ndarray, want: np.ndarray) -> str:
    if have.size > 1 and np.array_equal(have, 1 - want):
        return "True and False have changed places"
    return ""


LOOKS = (_not_finite, _constant, _factor, _offset, _signs, _order, _confined)
LOOKS_AT_TRUTH = (_one_truth, _opposite, _order, _confined)
