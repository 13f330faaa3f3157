"""Random inboxes: names, nesting, zips in zips, links, duplicate and damaged files, dates 0 and far in the future.

`python tests/course/hand_in_trees.py 10000` collects so many and says what went wrong and how long it took.
"""

import os
import random
import re
import shutil
import sys
import tempfile
import time
import warnings
import zipfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from unittest import mock

from tito.course import Course
from tito.grading import collect as package
from tito.grading.collect import collect
from tito.grading.roster import Student
from tito.printable import printable

STUDENTS = (
    "ada",
    "ben",
    "Ada Lovelace",
    "O'Brien",
    "Doe, John",
    "José",
    "李雷",
    "jdoe@example.org",
    "nul",
    "..",
    "a:b",
)
FOLDERS = (*STUDENTS, "section1", "section2", "work", "release", "01_tensor", "tinytorch-kit", ".git", "__MACOSX", "-x")
FILES = (
    "tensor.ipynb", "01_tensor.ipynb", "activations.ipynb", "Tensor (1).IPYNB", "tensor-2.ipynb", "ada_tensor.ipynb",
    "ben_01_tensor.ipynb", "O'Brien_tensor.ipynb", "doejohn_12345_678_tensor-1.ipynb", "notes.txt", "homework.ipynb",
    "doejohn_LATE_12345_679_tensor.ipynb", "Ada Lovelace_1_assignsubmission_file_tensor.ipynb", "README.md", ".hidden",
    "HW_ada_attempt_2026-10-01-12-30-00_tensor.ipynb", "HW_ada_attempt_2026-10-01-12-30-00.txt", "work.rar",
    "HW_ben_attempt_2026-99-99-12-30-00_tensor.ipynb", "nbgrader_config.py", "a\nb_tensor.ipynb", "\udcff_tensor.ipynb",
    "_tensor.ipynb", "tensor.ipynb.zip.ipynb", "x" * 180 + "_tensor.ipynb",
)  # fmt: skip
ZIPS = ("ada.zip", "ben.ZIP", "kit.zip", "doejohn_12345_678_kit.zip", "class.zip", "submission.zip")
STRANGE = (
    "../evil_tensor.ipynb",
    "/abs/tensor.ipynb",
    "..\\ada\\tensor.ipynb",
    "C:\\ada\\tensor.ipynb",
    "b//tensor.ipynb",
)
DATES = (0.0, 1.0, -1e9, 1_700_000_000.0, 1_700_000_000.0, 1_700_000_500.0, 2.0**33, 2.0**35)
ZIP_DATES = (
    (1980, 0, 0, 0, 0, 0), (1980, 1, 1, 0, 0, 0), (2000, 15, 31, 31, 63, 0),
    (2026, 10, 1, 12, 0, 0), (2107, 12, 31, 23, 59, 58),
)  # fmt: skip
ROSTER = (
    Student("ada", "Ada", "Lovelace", "ada@example.org", "1"),
    Student("ben", "Ben", "O'Brien", "ben@example.org", "2"),
    Student("jdoe@example.org", "John", "Doe", "jdoe@example.org", "12345"),
    Student("a:b", "李雷", "José", "", "12345"),
)
AGAIN = re.compile(r" \(entry \d+ of this name\)")


@dataclass
class Tree:
    """A random inbox: what is in it, and how often a file of each label."""

    rng: random.Random
    contents: dict[str, list[bytes]] = field(default_factory=dict)  # by label; a zip can hold one name twice
    labels: Counter = field(default_factory=Counter)

    def data(self) -> bytes:
        return self.rng.choice([b"", b"{}", b"A", b"B", self.rng.randbytes(8), b'{"cells": []}'])

    def fill(self, folder: Path, prefix: str = "", depth: int = 0) -> None:
        """Put up to five files, zips, links and folders into `folder`."""
        for _ in range(self.rng.randrange(1, 6)):
            kind = self.rng.choices(["file", "folder", "zip", "link", "damaged"], [6, 4 * (depth < 3), 3, 1, 1])[0]
            name = self.rng.choice({"folder": FOLDERS, "zip": ZIPS, "damaged": ZIPS}.get(kind, FILES))
            path = folder / name
            if name == ".." or os.path.lexists(path):
                continue
            label = f"{prefix}{name}"
            if kind == "folder":
                path.mkdir()
                self.fill(path, f"{label}/", depth + 1)
            elif kind == "link":
                path.symlink_to(self.rng.choice([folder, "/etc/passwd", "nowhere"]))
                self.labels[printable(label)] += 1
            else:
                self.write(path, kind, label)

    def write(self, path: Path, kind: str, label: str) -> None:
        if kind == "file":
            data = self.data()
            self.note(label, data)
        elif kind == "damaged":
            data = self.rng.choice([b"", b"PK\x03\x04", b"Rar!", self.harm(self.zip("", Tree(self.rng), 0))])
        else:
            inside = Tree(self.rng)
            data = self.zip(f"{label}: ", inside, 0)
            self.take(inside)
        path.write_bytes(data)
        date = self.rng.choice(DATES)
        os.utime(path, (date, date))

    def zip(self, prefix: str, inside: "Tree", depth: int) -> bytes:
        """A zip with random entries, which are noted in `inside`."""
        file = BytesIO()
        with zipfile.ZipFile(file, "w", self.rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])) as archive:
            for _ in range(self.rng.randrange(6)):
                folders = [self.rng.choice(FOLDERS) for _ in range(self.rng.randrange(4))]
                is_zip = depth < 5 and self.rng.random() < 0.25
                name = "/".join([*folders, self.rng.choice(ZIPS if is_zip else FILES).replace("\udcff", "ÿ")])
                name = self.rng.choice(STRANGE) if self.rng.random() < 0.05 else name
                entry = zipfile.ZipInfo(name, self.rng.choice(ZIP_DATES))
                if is_zip and name.lower().endswith(".zip"):
                    below = Tree(self.rng)
                    data = self.zip(f"{prefix}{name}: ", below, depth + 1)
                    inside.take(below)
                else:
                    data = self.data()
                    inside.note(f"{prefix}{name}", data)
                if self.rng.random() < 0.05:
                    entry.create_system, entry.external_attr = 3, 0o120777 << 16
                archive.writestr(entry, data)
        return file.getvalue()

    def harm(self, data: bytes) -> bytes:
        """Change up to three bytes, or cut the end off."""
        raw = bytearray(data)
        for _ in range(self.rng.randrange(1, 4)):
            raw[self.rng.randrange(len(raw))] = self.rng.randrange(256)
        return bytes(raw[: self.rng.choice([len(raw), len(raw) // 2])])

    def note(self, label: str, data: bytes) -> None:
        self.labels[printable(label)] += 1
        self.contents.setdefault(printable(label), []).append(data)

    def take(self, inside: "Tree") -> None:
        self.labels.update(inside.labels)
        for label, found in inside.contents.items():
            self.contents.setdefault(label, []).extend(found)


def check_tree(seed: int, place: Path) -> list[str]:
    """Collect a random inbox twice, and return what should not be."""
    rng = random.Random(seed)
    course, inbox = Course(place / "course"), place / "inbox"
    course.root.mkdir(parents=True)
    inbox.mkdir()
    tree = Tree(rng)
    tree.fill(inbox)
    outside = _files(place, course)
    students = list(ROSTER) if rng.random() < 0.5 else []
    with mock.patch.object(package, "read_roster", lambda _: students):
        report = collect(course, inbox)
        stored = _stored(course)
        again = collect(course, inbox)
    wrong = [f"{label} has vanished" for label in _vanished(tree, report, stored)]
    if _files(place, course) != outside:
        wrong.append("something was written elsewhere")
    if again.taken or _stored(course) != stored:
        wrong.append("a second collect changed something")
    if any("\n" in entry.label or not entry.reason for entry in report.listed):
        wrong.append("a listed file without a reason, or in two lines")
    return [f"seed {seed}: {one}" for one in wrong]


def _vanished(tree: Tree, report, stored: dict[str, bytes]) -> list[str]:
    """The files that are neither stored nor listed, themselves or with a zip around them."""
    listed = Counter(AGAIN.sub("", entry.label) for entry in report.listed)
    kept = set(stored.values())
    lost = Counter({label: tree.labels[label] for label in tree.labels if label not in tree.contents})
    lost.update({label: sum(data not in kept for data in found) for label, found in tree.contents.items()})
    return [
        label
        for label, count in lost.items()
        if count > listed[label] and not any(label[: colon.start()] in listed for colon in re.finditer(": ", label))
    ]


def _stored(course: Course) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in course.submitted.rglob("*") if path.is_file()}


def _files(place: Path, course: Course) -> set[str]:
    """Everything but what collect may write."""
    own = (str(course.submitted), str(course.state))
    found = {os.path.join(folder, name) for folder, _, names in os.walk(place) for name in names}
    return {name for name in found if not name.startswith(own)}


def check_trees(seeds: range) -> list[str]:
    """Collect a random inbox for each seed, without waiting for the disk, and return what should not be."""
    wrong = []
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch("os.fsync"),
        mock.patch("os.sync", create=True),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # zipfile's, about entries of one name
        for seed in seeds:
            place = Path(folder, str(seed))
            wrong += check_tree(seed, place)
            shutil.rmtree(place)
    return wrong


def main(count: int) -> int:
    """Collect `count` trees on all cores, and return how many showed something wrong."""
    start = time.monotonic()
    parts = [range(first, min(first + 100, count)) for first in range(0, count, 100)]
    with ProcessPoolExecutor() as pool:
        wrong = [one for found in pool.map(check_trees, parts) for one in found]
    print(*wrong, f"{count} trees in {time.monotonic() - start:.0f} s, {len(wrong)} findings", sep="\n")
    return len(wrong)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])) > 0)
