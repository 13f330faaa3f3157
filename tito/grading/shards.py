"""Parts of a class graded apart, as the tasks of a cluster's job array: each makes one file, which `tito merge` reads.

A shard has a journal of its own and touches no gradebook. Its file depends on what was handed in and on nothing else:
made again, it is the same.
"""

import gzip
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from tito.course import Course
from tito.engine.runner import Limits
from tito.errors import CourseError
from tito.grading.by_hand import keep, put_back
from tito.grading.grade import (
    Engine,
    check_released,
    grade_students,
    in_turn,
    runner_of_this_machine,
    scratch_folder,
    submitted_students,
)
from tito.grading.gradebook import open_gradebook, update_penalties
from tito.grading.journal import Entry, Journal, read_journal
from tito.grading.lock import alone, hold
from tito.grading.recorder import Recorder
from tito.grading.status import Status
from tito.grading.storage import room, storage
from tito.grading.work import Plan, make_plan, read
from tito.registry import Module, find_module

FILES = "*.jsonl.gz"


@dataclass(frozen=True)
class Shard:
    """The `number`-th of `count` parts, counted from 1."""

    number: int
    count: int

    @property
    def name(self) -> str:
        """What its folder and file are called."""
        return f"{self.number:03d}-of-{self.count:03d}"

    def has(self, module: Module, student: str) -> bool:
        """Whether a submission belongs to it; who else handed in does not matter."""
        digest = hashlib.sha256(f"{module.folder}/{student}".encode()).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.number - 1


def parse_shard(text: str) -> Shard:
    """Read "K/N".

    Raises:
        CourseError: it is no such thing.
    """
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise CourseError(f"'{text}' is no shard.", "Write K/N, such as 2/8 for the second of eight.")
    return Shard(int(match[1]), int(match[2]))


def shards_folder(course: Course) -> Path:
    """Where shards have their journals and leave their files."""
    return course.state / "shards"


class _JournalOnly:
    """Stores the results of one module in a journal; the gradebook is for `merge`."""

    def __init__(self, module: Module, journal: Journal) -> None:
        self.module, self.journal = module, journal
        self.trouble: Exception | None = None

    def known(self, student: str, key: str) -> Entry | None:
        """Return the entry of a submission that need not run."""
        entry = self.journal.find(self.module.folder, student)
        return entry if entry and entry.key == key else None

    def store(self, entry: Entry, notebook: str) -> Entry:
        """Keep a result."""
        self.journal.put(entry, notebook)
        return entry


def grade_shard(
    course: Course, module: Module, shard: Shard, engine: Engine = in_turn, limits: Limits | None = None
) -> Iterator[Entry]:
    """Grade a shard's submissions of one module into its journal, and yield each as it is done.

    Raises:
        CourseError: the module is not released, or the same shard is being graded.
    """
    folder = shards_folder(course) / shard.name
    work = f"{course.state.name}/"
    with hold(folder, f"Shard {shard.number}/{shard.count} is being graded."), room(work), storage(work):
        with Journal(folder) as journal:
            students = [one for one in submitted_students(course, module) if shard.has(module, one)]
            plan = make_plan(course, module, runner_of_this_machine(), limits or Limits(), folder / "run")
            yield from grade_students(course, plan, _JournalOnly(module, journal), students, engine)
        shutil.rmtree(folder / "run", ignore_errors=True)


def write_shard(course: Course, shard: Shard) -> Path:
    """Write what a shard's journal has, sorted, and return the file."""
    folder = shards_folder(course) / shard.name
    path = shards_folder(course) / FILES.replace("*", shard.name)
    fresh = path.with_suffix(".tmp")
    with storage(course.shown(path)):
        with Journal(folder) as journal, fresh.open("wb") as raw:
            with gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as packed:
                packed.write(json.dumps({"shard": shard.name}).encode() + b"\n")
                for entry in read_journal(folder):
                    packed.write(_line(entry, journal.notebook(entry)))
            raw.flush()
            os.fsync(raw.fileno())
        os.replace(fresh, path)
    return path


def _line(entry: Entry, notebook: str) -> bytes:
    facts = {
        "module": entry.module,
        "student": entry.student,
        "key": entry.key,
        "status": entry.status,
        "notes": entry.notes,
        "release": entry.release,
        "notebook": notebook,
    }
    return json.dumps(facts, ensure_ascii=False).encode() + b"\n"


def read_shard(path: Path) -> Iterator[tuple[Entry, str]]:
    """Yield the results in a shard's file, with their notebooks.

    Raises:
        CourseError: it is no such file, or a part of one.
    """
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            if "shard" not in json.loads(next(lines, "{}")):
                raise ValueError("it has no beginning")
            for line in lines:
                yield _result(**json.loads(line))
    except FileNotFoundError:
        raise CourseError(f"There is no file {path}.", "Name the files that 'tito grade --shards K/N' wrote.") from None
    except (OSError, EOFError, ValueError, TypeError) as error:
        raise CourseError(f"{path} is damaged: {error}.", "Grade that shard again, or copy its file again.") from error


def _result(
    *, module: str, student: str, key: str, status: str, notes: list[str], release: str, notebook: str
) -> tuple[Entry, str]:
    return Entry(module, student, key, Status(status), tuple(notes), release=release), notebook


@dataclass
class Merged:
    """How many results were taken, were known already, and are of other work or other tests than there are now."""

    taken: int = 0
    known: int = 0
    outdated: int = 0


def merge(course: Course, paths: Iterable[Path], limits: Limits | None = None) -> Merged:
    """Record the results of shards; doing it twice changes nothing.

    A result counts when it is of what is handed in now, under the tests of now.

    Raises:
        CourseError: a file is damaged, a module is not released, or another command is at work; what is done stays.
    """
    done, work = Merged(), f"{course.state.name}/"
    with alone(course), room(work), storage(work), Journal(course.state) as journal:
        for path in paths:
            for folder, results in groupby(read_shard(path), key=lambda result: result[0].module):
                _merge_module(course, find_module(folder), journal, results, limits or Limits(), done)
        shutil.rmtree(scratch_folder(course), ignore_errors=True)
    return done


def _merge_module(
    course: Course,
    module: Module,
    journal: Journal,
    results: Iterable[tuple[Entry, str]],
    limits: Limits,
    done: Merged,
) -> None:
    check_released(course, module)
    plan = make_plan(course, module, runner_of_this_machine(), limits, scratch_folder(course))
    with open_gradebook(course) as gradebook:
        keep(course, gradebook)
        recorder = Recorder(course, module, journal, gradebook)
        for entry, notebook in results:
            _merge_one(course, plan, recorder, entry, notebook, done)
        put_back(course, module, gradebook)
    if recorder.trouble:
        raise recorder.trouble
    update_penalties(course, module)


def _merge_one(course: Course, plan: Plan, recorder: Recorder, entry: Entry, notebook: str, done: Merged) -> None:
    data = read(plan, course, entry.student)
    key = data.key if isinstance(data, Entry) else plan.key(data)
    if entry.key != key:
        done.outdated += 1
    elif recorder.known(entry.student, key):
        done.known += 1
    else:
        recorder.store(entry, notebook)
        done.taken += 1
