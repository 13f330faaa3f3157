"""Everything in an inbox: files in folders, in zips and in zips inside zips, each as one `Item`, nothing left out.

Contents are read later and one at a time; here only names and dates are.
"""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import partial
from pathlib import Path, PurePosixPath
from zipfile import ZipInfo

from tito.engine.reading import Unreadable, read_bytes
from tito.errors import CourseError
from tito.grading.collect.archives import MAX_DEPTH, MAX_INNER, Archives, Place
from tito.grading.collect.listing import Listed

EARLIEST = datetime(1981, 1, 1, tzinfo=UTC)  # zips without dates say 1980
JUNK = ("__MACOSX", "Thumbs.db", "desktop.ini", "__pycache__")


@dataclass(frozen=True)
class Item:
    """A file that was handed in.

    label: its name for messages.
    parts: its path below the inbox; a zip is a level of the path, and keeps its ".zip".
    time:  when it was last changed; the time of its zip when it has no date, now when its date is in the future.
    read:  returns its content, or raises Unreadable.
    """

    label: str
    parts: tuple[str, ...]
    time: datetime
    read: Callable[[], bytes]


def is_hidden(part: str) -> bool:
    """Whether a file or folder is an operating system's or a program's own."""
    return part.startswith(".") or part in JUNK


class Inbox:
    """Walks an inbox; what cannot be looked into is added to `listed`.

    zone: the time zone of the dates in zips, which name none; None is this computer's.
    """

    def __init__(self, root: Path, archives: Archives, now: datetime, zone: tzinfo | None = None) -> None:
        self.root = root
        self.listed: list[Listed] = []
        self._archives = archives
        self._now = now
        self._zone = zone
        self._inner = 0

    @property
    def is_zip(self) -> bool:
        """Whether the inbox is one zip."""
        return self.root.is_file() and self.root.suffix.lower() == ".zip"

    def items(self) -> Iterator[Item]:
        """Yield every file, in an order that depends on names only.

        Raises:
            CourseError: the inbox is neither a folder nor a zip.
        """
        if self.root.is_dir():
            yield from self._folder()
        elif self.is_zip:
            yield from self._outer_zip(self.root, (), "")
        else:
            raise CourseError(f"{self.root} is neither a folder nor a zip.", "Name the folder with the submissions.")

    def time_in_zone(self, *fields: int) -> datetime | None:
        """The moment that a date without a zone means, at most now; None when there is no such date."""
        try:
            local = datetime(*fields)  # type: ignore[arg-type]
            moment = local.replace(tzinfo=self._zone) if self._zone else local.astimezone()
            return min(moment.astimezone(UTC), self._now)
        except (ValueError, OverflowError, OSError):
            return None

    def _folder(self) -> Iterator[Item]:
        for place, folders, names in os.walk(self.root, onerror=self._closed):
            folders.sort()
            links = [name for name in folders if Path(place, name).is_symlink()]
            for name in sorted([*names, *links]):
                path = Path(place, name)
                parts = path.relative_to(self.root).parts
                label = "/".join(parts)
                is_zip = path.suffix.lower() == ".zip" and path.is_file() and not path.is_symlink()
                if is_zip and not any(map(is_hidden, parts)):
                    yield from self._outer_zip(path, parts, f"{label}: ")
                else:
                    yield Item(label, parts, self._changed(path), partial(read_bytes, path))

    def _closed(self, error: OSError) -> None:
        label = Path(error.filename).relative_to(self.root).as_posix()
        self._cannot(f"{label}/", f"the folder cannot be opened ({error.strerror})")

    def _cannot(self, label: str, reason: str) -> None:
        self.listed.append(Listed(label, reason, "Ask for it again, or unpack it by hand."))

    def _changed(self, path: Path) -> datetime:
        try:
            return min(datetime.fromtimestamp(path.lstat().st_mtime, UTC), self._now)
        except (ValueError, OverflowError):
            return self._now  # a date that no calendar has

    def _outer_zip(self, path: Path, parts: tuple[str, ...], prefix: str) -> Iterator[Item]:
        self._inner = 0
        yield from self._zip(Place(path), parts, prefix, self._changed(path))

    def _zip(self, place: Place, above: tuple[str, ...], prefix: str, packed: datetime) -> Iterator[Item]:
        name = prefix.removesuffix(": ") or self.root.name
        try:
            entries = self._archives.entries(place)
        except Unreadable as reason:
            self._cannot(name, str(reason))
            return
        seen: dict[str, int] = {}
        for number, entry in enumerate(entries):
            if entry.is_dir():
                continue
            count = seen[entry.filename] = seen.get(entry.filename, 0) + 1
            label = f"{prefix}{entry.filename}" + (f" (entry {count} of this name)" if count > 1 else "")
            inside = PurePosixPath(entry.filename.replace("\\", "/")).parts
            if not inside or ".." in inside or inside[0] == "/" or inside[0][1:2] == ":":
                self._cannot(label, "its name points outside of the zip")
            elif self._is_zip(entry) and not any(map(is_hidden, inside)):
                yield from self._inner_zip(place.inner(number), (*above, *inside), label, self._dated(entry, packed))
            else:
                read = partial(self._archives.read, place, number)
                yield Item(label, (*above, *inside), self._dated(entry, packed), read)

    def _inner_zip(self, place: Place, parts: tuple[str, ...], label: str, packed: datetime) -> Iterator[Item]:
        self._inner += 1
        if len(place.entries) > MAX_DEPTH:
            self._cannot(label, f"a zip inside {len(place.entries)} others is not opened")
        elif self._inner > MAX_INNER:
            self._cannot(label, f"more than {MAX_INNER} zips inside one")
        else:
            yield from self._zip(place, parts, f"{label}: ", packed)

    @staticmethod
    def _is_zip(entry: ZipInfo) -> bool:
        return entry.filename.lower().endswith(".zip") and not stat.S_ISLNK(entry.external_attr >> 16)

    def _dated(self, entry: ZipInfo, packed: datetime) -> datetime:
        moment = self.time_in_zone(*entry.date_time)
        return packed if moment is None or moment < EARLIEST else moment
