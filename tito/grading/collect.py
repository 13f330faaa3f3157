"""Sort what arrived in an inbox into `submitted/`; whatever is not understood is listed, never guessed.

Names in a zip or an inbox are only read to find out whose work it is. Files are written to places made from a checked
student name and a known module, so no name can point elsewhere.
"""

import json
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path, PurePosixPath

from nbgrader.utils import parse_utc

from tito.course import Course
from tito.engine.reading import MAX_BYTES, REFUSED, Unreadable, read_bytes
from tito.errors import CourseError
from tito.files import write_atomic
from tito.registry import MODULES, Module

STUDENT = re.compile(r"\w[\w.@ -]{0,99}")
COPY = re.compile(r"(-Copy\d+| ?\(\d+\))$")  # what browsers and JupyterLab add to a name
MAX_ENTRIES = 20_000


@dataclass(frozen=True)
class Item:
    """One file that may be a submission: its name for messages, its path inside the inbox, its age and its content."""

    label: str
    parts: tuple[str, ...]
    time: datetime
    read: Callable[[], bytes]
    owner: str = ""


@dataclass
class Collected:
    """What `collect` did: (student, module folder) of new submissions, of those already there, and the rest."""

    taken: list[tuple[str, str]] = field(default_factory=list)
    known: list[tuple[str, str]] = field(default_factory=list)
    ignored: list[tuple[str, str]] = field(default_factory=list)


def collect(course: Course, inbox: Path) -> Collected:
    """Copy submissions into `submitted/STUDENT/NN_name/name.ipynb`, the newest of each, with nbgrader's time stamp.

    Understood are `STUDENT/name.ipynb`, `STUDENT/NN_name/name.ipynb`, `STUDENT_name.ipynb`, and zips of these or of one
    student's folder. A file that may not be read (too large, a symbolic link) is recorded as refused, so that it is
    reported as unreadable and not as missing.

    Raises:
        CourseError: the inbox is neither a folder nor a zip.
    """
    report = Collected()
    newest: dict[tuple[str, str], tuple[Item, Module]] = {}
    for item in _items(inbox, report):
        found = identify(item.parts, item.owner)
        if found is None:
            report.ignored.append((item.label, "no student and module in its name"))
            continue
        student, module = found
        other = newest.get((student, module.folder))
        older = item if other and other[0].time >= item.time else other[0] if other else None
        if older is not None:
            report.ignored.append((older.label, "there is a newer one"))
        if older is not item:
            newest[student, module.folder] = (item, module)
    for (student, folder), (item, module) in sorted(newest.items()):
        fresh = _store(course, student, module, item)
        (report.taken if fresh else report.known).append((student, folder))
    return report


def identify(parts: tuple[str, ...], owner: str = "") -> tuple[str, Module] | None:
    """Return the student and the module that a path names, or None; `owner` is the student when the path names none."""
    stem = COPY.sub("", PurePosixPath(parts[-1]).stem)
    if not parts[-1].endswith(".ipynb"):
        return None
    folders = [part for part in parts[:-1] if part not in {m.folder for m in MODULES} | {"work", "release"}]
    for module in MODULES:
        for name in (module.folder, module.name):
            if stem == name:
                student = folders[0] if folders else owner
            elif stem.endswith(f"_{name}") and not folders:
                student = stem.removesuffix(f"_{name}")
            else:
                continue
            return (student, module) if STUDENT.fullmatch(student) else None
    return None


def _store(course: Course, student: str, module: Module, item: Item) -> bool:
    """Write the submission unless the one we have is as new; the time stamp comes last, so a kill is put right."""
    path = course.submission(student, module)
    stamp = path.with_name("timestamp.txt")
    if stamp.is_file() and parse_utc(stamp.read_text(encoding="utf-8").strip()) >= item.time.replace(tzinfo=None):
        return False
    try:
        data = item.read()
    except Unreadable as reason:
        data = json.dumps({REFUSED: str(reason)}).encode()
    write_atomic(path, data)
    write_atomic(stamp, item.time.strftime("%Y-%m-%d %H:%M:%S.%f UTC"))
    return True


def _items(inbox: Path, report: Collected) -> Iterator[Item]:
    if inbox.is_file() and zipfile.is_zipfile(inbox):
        yield from _zip_items(inbox, report)
    elif inbox.is_dir():
        yield from _folder_items(inbox, report)
    else:
        raise CourseError(f"{inbox} is neither a folder nor a zip.", "Name the folder with the submissions.")


def _folder_items(inbox: Path, report: Collected) -> Iterator[Item]:
    for place, folders, names in os.walk(inbox):
        folders[:] = sorted(f for f in folders if not f.startswith((".", "__MACOSX")))
        for linked in [f for f in folders if Path(place, f).is_symlink()]:
            report.ignored.append((str(Path(place, linked).relative_to(inbox)), "a symbolic link"))
        for name in sorted(names):
            path = Path(place, name)
            label = path.relative_to(inbox)
            if name.startswith("."):
                continue
            if not path.is_symlink() and path.suffix == ".zip":
                yield from _zip_items(path, report, label.as_posix() + ": ")
                continue
            time = datetime.fromtimestamp(path.lstat().st_mtime, UTC)
            yield Item(label.as_posix(), label.parts, time, partial(read_bytes, path))


def _zip_items(path: Path, report: Collected, prefix: str = "") -> Iterator[Item]:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError):
        report.ignored.append((prefix or path.name, "not a readable zip"))
        return
    if len(entries) > MAX_ENTRIES:
        report.ignored.append((prefix or path.name, f"more than {MAX_ENTRIES} files"))
        return
    for entry in entries:
        parts = PurePosixPath(entry.filename.replace("\\", "/")).parts
        if entry.is_dir() or any(part.startswith((".", "__MACOSX")) for part in parts if part != ".."):
            continue
        if ".." in parts or parts[:1] == ("/",):
            report.ignored.append((prefix + entry.filename, "its name points outside of the zip"))
            continue
        time = datetime(*entry.date_time, tzinfo=UTC)
        read = partial(_unpack, path, entry)
        yield Item(prefix + entry.filename, parts, time, read, owner=path.stem)


def _unpack(path: Path, entry: zipfile.ZipInfo) -> bytes:
    """Return the content of one entry, of which at most 5 MB are unpacked.

    Raises:
        Unreadable: a symbolic link, too large, or damaged.
    """
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise Unreadable("the file is a symbolic link, not a notebook")
    if entry.file_size > MAX_BYTES:
        raise Unreadable(f"the file has {entry.file_size / 1e6:.1f} MB; the limit is {MAX_BYTES / 1e6:.1f} MB")
    try:
        with zipfile.ZipFile(path) as archive, archive.open(entry) as file:
            data = file.read(MAX_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, OSError, EOFError) as error:
        raise Unreadable(f"it cannot be unpacked ({error})") from None
    if len(data) > MAX_BYTES:
        raise Unreadable("it unpacks to more than it says")
    return data
