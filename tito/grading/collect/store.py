"""Where hand-ins are put: the newest of each student and module in `submitted/`, all earlier ones in its history.

Contents are compared, not dates: the same bytes are never stored twice, and other bytes replace what is there only
after that was copied to the history. The steps of a class are one `Batch`, in an order that another run can go on from.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from nbgrader.utils import parse_utc

from tito.course import Course
from tito.engine.reading import REFUSED, Unreadable
from tito.grading.collect.batch import Batch
from tito.grading.collect.inbox import Item
from tito.grading.collect.listing import Listed
from tito.registry import Module

NEVER = datetime.min.replace(tzinfo=UTC)
REFUSAL = b'{"' + REFUSED.encode() + b'": '  # how a note begins that stands for a file which was not copied


@dataclass(frozen=True)
class Outcome:
    """What became of one student's files of a module.

    is_new: whether there is a new submission.
    taken:  whether any of the files could be read.
    listed: those that did not become the submission.
    """

    is_new: bool
    taken: bool
    listed: tuple[Listed, ...]


def settle(course: Course, batch: Batch, student: str, module: Module, items: Sequence[Item]) -> Outcome:
    """Add to `batch` what stores a student's hand-ins of a module from one inbox; doing it twice changes nothing.

    The newest becomes the submission, unless that here is newer. Of files with the same date the first by name does,
    unless its bytes are in the history already. A file that may not be read (too large, a link, damaged) is noted as
    refused when there is nothing else, so that it is reported as unreadable and not as missing.
    """
    shelf = _Shelf(course, batch, student, module)
    first: Item | None = None
    is_new, listed, refused = False, [], []
    for item in sorted(sorted(items, key=lambda i: i.label), key=lambda i: i.time, reverse=True):
        try:
            data = item.read()
        except Unreadable as reason:
            refused.append(str(reason))
            listed.append(Listed(item.label, f"{student}, {module.folder}: {reason}", "Ask for it again."))
            continue
        if first is None:
            first = item
            is_new = shelf.offer(data, item.time)
            if not is_new and not shelf.is_current(data):
                listed.append(Listed(item.label, f"{student} has handed in a newer {module.folder}; this one is kept"))
        elif not shelf.is_current(data):
            shelf.keep(data, item.time)
            listed.append(_beside(item, first, module))
    if refused and first is None:
        shelf.refuse(refused[0], items[0].time)
    return Outcome(is_new, first is not None, tuple(listed))


def _beside(item: Item, first: Item, module: Module) -> Listed:
    if item.time < first.time:
        return Listed(item.label, f"{first.label} is newer; this one is kept in the history")
    return Listed(
        item.label,
        f"it has the same date as {first.label} and another content; this one is kept in the history",
        "Ask which one counts; give that file a newer date, and collect again.",
    )


class _Shelf:
    """One student's hand-ins of one module: the current one with nbgrader's time stamp, and earlier ones.

    The current one is not among the earlier ones, except when a collect was stopped between two steps of `offer`.
    """

    def __init__(self, course: Course, batch: Batch, student: str, module: Module) -> None:
        self._batch = batch
        self._path = course.submission(student, module)
        self._stamp = self._path.with_name("timestamp.txt")
        self._earlier = course.earlier(student, module)
        self._kept_now: set[str] = set()  # digests of what this collect adds to the earlier ones
        found = self._path.read_bytes() if self._path.is_file() else None
        self._current = None if found is None or found.startswith(REFUSAL) else found

    def is_current(self, data: bytes) -> bool:
        """Whether these bytes are the submission."""
        return data == self._current

    def offer(self, data: bytes, time: datetime) -> bool:
        """Make `data` the submission, or keep it if it is older than that or was replaced by it; say which."""
        if self.is_current(data):
            self._forget(data)
            return False
        since = self._since()
        was_replaced = self._kept(data) and not (self._current is not None and self._kept(self._current))
        if time < since or (time == since and was_replaced):
            self.keep(data, time)
            return False
        if self._current is not None:
            self.keep(self._current, since)
        self._batch.write(
            self._stamp, _stamp(time).encode()
        )  # first: after a kill the next run still takes `data` for newer
        self._batch.write(self._path, data)
        self._forget(data)
        self._current = data
        return True

    def keep(self, data: bytes, time: datetime) -> None:
        """Put `data` into the history unless it is there."""
        if not self._kept(data):
            moment = "undated" if time == NEVER else time.strftime("%Y-%m-%dT%H-%M-%SZ")
            self._batch.write(self._earlier / f"{moment}-{_digest(data)}{self._path.suffix}", data)
            self._kept_now.add(_digest(data))

    def refuse(self, reason: str, time: datetime) -> None:
        """Note that nothing could be read, unless there is a submission."""
        note = json.dumps({REFUSED: reason}).encode()
        if self._current is not None or (self._path.is_file() and self._path.read_bytes() == note):
            return
        self._batch.write(self._stamp, _stamp(time).encode())
        self._batch.write(self._path, note)

    def _kept(self, data: bytes) -> bool:
        return _digest(data) in self._kept_now or any(self._copies(data))

    def _forget(self, data: bytes) -> None:
        for copy in self._copies(data):
            self._batch.remove(copy)

    def _copies(self, data: bytes) -> list[Path]:
        return list(self._earlier.glob(f"*-{_digest(data)}{self._path.suffix}"))

    def _since(self) -> datetime:
        """When the submission was handed in; long ago when nothing readable or no date is there."""
        if self._current is None:
            return NEVER
        try:
            moment: datetime = parse_utc(self._stamp.read_text(encoding="utf-8").strip())
            return moment.replace(tzinfo=UTC)
        except (FileNotFoundError, ValueError, OverflowError):
            return NEVER


def _stamp(time: datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S.%f UTC")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]
