"""Known beliefs behind wrong answers: the files in `beliefs/` map what a belief answers to the belief, as digests.

`tito sync` writes them: it runs every misconception of the course's bank with `start_recording` and keeps, for each
check that fails, a digest of the check and the answer. A digest gives nothing away, and a match is a fact, not a guess.
"""

import hashlib
import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).with_name("beliefs")
DIGITS = 4  # significant digits of an answer that count
COMMON = (True, False, 0, 1, 0.0, 1.0)  # answers that many mistakes give: a match is told, but as one of several

_record: list[str] | None = None


def start_recording() -> None:
    """From now on a failed check is noted and does not raise, so that every check of a test is reached."""
    global _record
    _record = []


def recorded() -> list[str]:
    """The digests of the failed checks since `start_recording`."""
    return _record or []


def note(call: str, expected: Any, got: Any) -> bool:
    """Note a failed check while recording; says whether we are."""
    if _record is None:
        return False
    key = digest(call, expected, got)
    if key:
        _record.append(key)
    return True


def belief(call: str, expected: Any, got: Any) -> str:
    """Say which belief of the bank answers this check so, or which two; "" when none does."""
    known = _known().get(digest(call, expected, got), "")
    same = "may be behind it; other mistakes give this answer, too" if _is_common(got) else "gives this same answer"
    return f"{known} {same}" if known else ""


def digest(call: str, expected: Any, got: Any) -> str:
    """A short hash of a check and an answer, "" when the answer says nothing, as None does."""
    answer = _canonical(got)
    if not answer:
        return ""
    text = "\n".join((_test_name(), call, _canonical(expected) or repr(expected), answer))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _canonical(value: Any) -> str:
    """An answer as text that is the same for the same numbers of another type; "" for one that says nothing."""
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}"
    if isinstance(value, str):
        return repr(value)
    if isinstance(value, dict):
        return f"dict of {_canonical([*value])} {_canonical([*value.values()])}"
    if isinstance(value, tuple):
        return f"tuple of {_canonical([*value])}"
    if isinstance(value, list):
        return _numbers(value) or _items(value)
    return _numbers(value)


def _items(values: list[Any]) -> str:
    """A list that is no array: unequal lengths, text, None."""
    items = ["None" if value is None else _canonical(value) for value in values]
    return f"[{', '.join(items)}]" if all(items) else ""


def _numbers(value: Any) -> str:
    try:
        array = np.asarray(value)
    except ValueError:  # unequal lengths
        return ""
    if array.dtype.kind not in "biuf" or not array.size:
        return ""
    numbers = array.astype(np.float64)
    largest = float(np.max(np.abs(numbers), initial=0.0, where=np.isfinite(numbers)))
    unit = 10.0 ** (np.floor(np.log10(largest)) - DIGITS + 1) if largest else 1.0
    shown = [f"{v:.0f}" for v in np.round(numbers / unit).ravel() + 0.0]
    return f"{array.shape} {unit:g} {' '.join(shown)}"


def _is_common(got: Any) -> bool:
    """Whether an answer is a single one of `COMMON`, or an array of nothing else but one of them."""
    if isinstance(got, BaseException | str | tuple | dict):
        return False
    try:
        values = np.unique(np.asarray(got))
    except (TypeError, ValueError):  # a list of unequal things
        return False
    return values.size == 1 and values[0] in COMMON


def _test_name() -> str:
    """The test function that is running."""
    frame = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name.startswith("test_"):
            return frame.f_code.co_name
        frame = frame.f_back  # type: ignore[assignment]
    return ""


@cache
def _known() -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted(FOLDER.glob("*.json")):
        facts = json.loads(path.read_text(encoding="utf-8"))
        for key, numbers in facts["answers"].items():
            found[key] = " or ".join(f'"{facts["beliefs"][number]}"' for number in numbers)
    return found
