"""Zips as they arrive: inside each other, damaged, with links and with more in them than they say."""

import lzma
import stat
import struct
import tempfile
import zipfile
import zlib
from collections import OrderedDict
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from tito.engine.reading import MAX_BYTES, Unreadable

MAX_ENTRIES = 20_000  # of one zip
MAX_DEPTH = 3  # zips inside zips
MAX_INNER = 1_000  # zips inside one zip of the inbox
MAX_INNER_BYTES = 100 * 1024 * 1024  # of a zip inside a zip, unpacked
KEPT_OPEN = 8
CHUNK = 1 << 20
DAMAGE = (  # what zipfile and its decompressors raise on a file that is not as it should be
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    RuntimeError,
    ValueError,
    IndexError,
    EOFError,
    OSError,
    MemoryError,
)


@dataclass(frozen=True)
class Place:
    """Where a zip is: a file of the inbox, then the numbers of the entries that lead to it."""

    path: Path
    entries: tuple[int, ...] = ()

    def inner(self, number: int) -> "Place":
        """The zip that is entry `number` of this one."""
        return Place(self.path, (*self.entries, number))


class Archives:
    """Opens zips, and keeps the few used last open; an inner zip is unpacked to a temporary file, never into memory."""

    def __init__(self) -> None:
        self._open: OrderedDict[Place, tuple[IO[bytes], zipfile.ZipFile]] = OrderedDict()

    def __enter__(self) -> "Archives":
        return self

    def __exit__(self, *_: object) -> None:
        while self._open:
            self._close_oldest()

    def entries(self, place: Place) -> list[zipfile.ZipInfo]:
        """Return what is listed in a zip.

        Raises:
            Unreadable: no zip, damaged, or with too many entries.
        """
        entries = self._get(place).infolist()
        if len(entries) > MAX_ENTRIES:
            raise Unreadable(f"it holds more than {MAX_ENTRIES} files")
        return entries

    def read(self, place: Place, number: int) -> bytes:
        """Return the content of one entry, of which at most 5 MB are unpacked.

        Raises:
            Unreadable: a symbolic link, too large, or damaged.
        """
        archive = self._get(place)
        entry = archive.infolist()[number]
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise Unreadable("the file is a symbolic link, not a notebook")
        if entry.file_size > MAX_BYTES:
            raise Unreadable(f"the file has {entry.file_size / 1e6:.1f} MB; the limit is {MAX_BYTES / 1e6:.1f} MB")
        try:
            with archive.open(entry) as file:
                data = file.read(MAX_BYTES + 1)
        except DAMAGE as error:
            raise Unreadable(_why(error)) from None
        if len(data) > MAX_BYTES:
            raise Unreadable("it unpacks to more than it says")
        return data

    def _get(self, place: Place) -> zipfile.ZipFile:
        if place in self._open:
            self._open.move_to_end(place)
            return self._open[place][1]
        file = self._unpacked(place) if place.entries else _opened(place.path)
        try:
            archive = zipfile.ZipFile(file)
        except DAMAGE as error:
            file.close()
            raise Unreadable(f"it is not a readable zip ({error})") from None
        self._open[place] = (file, archive)
        if len(self._open) > KEPT_OPEN:
            self._close_oldest()
        return archive

    def _unpacked(self, place: Place) -> IO[bytes]:
        outer = self._get(Place(place.path, place.entries[:-1]))
        packed = outer.infolist()[place.entries[-1]]
        with ExitStack() as on_error:
            file = on_error.enter_context(tempfile.TemporaryFile())
            try:
                with outer.open(packed) as stream:
                    for chunk in iter(partial(stream.read, CHUNK), b""):
                        if file.tell() + len(chunk) > MAX_INNER_BYTES:
                            raise Unreadable(f"it has more than {MAX_INNER_BYTES / 1e6:.0f} MB")
                        file.write(chunk)
            except DAMAGE as error:
                raise Unreadable(_why(error)) from None
            on_error.pop_all()
        return file

    def _close_oldest(self) -> None:
        _, (file, archive) = self._open.popitem(last=False)
        archive.close()
        file.close()


def _opened(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as error:
        raise Unreadable(f"the file cannot be opened ({error.strerror})") from None


def _why(error: BaseException) -> str:
    if "encrypted" in str(error):
        return "it is locked with a password"
    return f"it cannot be unpacked ({error})"
