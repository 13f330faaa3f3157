"""Arrays and lists that a test and an answer both hold: what one of them writes, the other one sees."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tito.trusted.wire import array_of, array_text, content

NO_REFERENCE = 3  # what `sys.getrefcount` says of an array that only `Shared.arrays` holds, asked in a loop


class Shared:
    """The grader's side of them; even numbers are the grader's own, odd ones the box's.

    Args:
        fresh: numbers for arrays of ours.
        dropped: takes the numbers that nobody here holds any more.
    """

    def __init__(self, fresh: Iterator[int], dropped: list[int]) -> None:
        self._fresh, self._dropped = fresh, dropped
        self.arrays: dict[int, np.ndarray] = {}
        self.numbers: dict[int, int] = {}  # id of an array -> number
        self.known: dict[int, bytearray | None] = {}  # what the box has in it; None: something else than we
        self._undo: list[Callable[[], None]] | None = None

    @contextlib.contextmanager
    def checking(self) -> Iterator[None]:
        """Inside, what the box edits of our arrays and lists is seen; afterwards they are as they were."""
        with contextlib.ExitStack() as afterwards:
            if self._undo is None:
                self._undo = []
                afterwards.callback(self._restore_all)
            yield

    def _restore_all(self) -> None:
        for undo in reversed(self._undo or ()):
            undo()
        self._undo = None

    def pack(self, array: np.ndarray, arrays: list[bytes]) -> Any:
        """An array for a frame: its content, or only its number when the box has that content."""
        number = self.numbers.get(id(array))
        if number is None:
            number = next(self._fresh)
            self.arrays[number], self.numbers[id(array)] = array, number
        if self.known.get(number) == content(array):
            return {"same": number}
        self.known[number] = bytearray(content(array))
        return {"array": [number, *array_text(array, arrays)]}

    def take(self, number: int, came: np.ndarray) -> np.ndarray:
        """An array that the box sends: the same object again if it was known."""
        kept = self.arrays.get(number)
        if kept is not None and self._overwrite(number, kept, came):
            return kept
        if kept is None and number % 2:
            if number in self._dropped:
                self._dropped.remove(number)
            self.arrays[number], self.numbers[id(came)] = came, number
            self.known[number] = bytearray(content(came))
        return came

    def _overwrite(self, number: int, kept: np.ndarray, came: np.ndarray) -> bool:
        """Take new content for an array: the student's own always, ours only while a check looks at it."""
        if kept.shape != came.shape or kept.dtype != came.dtype or not kept.flags.writeable:
            return False
        if number % 2 == 0:
            self.known[number] = None
            if self._undo is None:
                return False
            before = kept.copy()
            self._undo.append(lambda: self._restore(number, kept, before))
        kept[...] = came
        self.known[number] = bytearray(content(kept))
        return True

    def _restore(self, number: int, array: np.ndarray, before: np.ndarray) -> None:
        array[...] = before
        if self.arrays.get(number) is array:
            self.known[number] = None

    def edit(self, ours: Any, now: Any) -> None:
        """A list, dict or set of the test that the box has changed."""
        if self._undo is None or type(now) is not type(ours):
            return
        before = ours.copy()

        def fill(items: Any) -> None:
            ours.clear()
            ours.extend(items) if isinstance(ours, list) else ours.update(items)

        self._undo.append(lambda: fill(before))
        fill(now)

    def take_changes(self, reply: dict[str, Any], arrays: list[bytes]) -> None:
        """Take over what the box has written into arrays."""
        for number, *facts in reply.get("changed", ()):
            came = array_of(facts, arrays)
            if number in self.arrays:
                self._overwrite(number, self.arrays[number], came)

    def changes(self, message: dict[str, Any], arrays: list[bytes]) -> list[Any]:
        """What was written here since the last message; what nobody here holds any more is dropped."""
        changed = []
        for number in list(self.arrays):
            array = self.arrays[number]
            if sys.getrefcount(array) <= NO_REFERENCE and number not in _mentioned(message):
                del self.arrays[number], self.numbers[id(array)]
                self.known.pop(number, None)
                self._dropped.append(number)
            elif self.known[number] != content(array):
                self.known[number] = bytearray(content(array))
                changed.append([number, *array_text(array, arrays)])
        return changed


def _mentioned(message: Any) -> set[int]:
    """The numbers of the arrays in a message."""
    found: set[int] = set()
    todo = [message]
    while todo:
        part = todo.pop()
        if isinstance(part, list):
            todo += part
        elif isinstance(part, dict):
            if "array" in part and isinstance(part["array"], list):
                found.add(part["array"][0])
            elif "same" in part:
                found.add(part["same"])
            todo += part.values()
    return found
