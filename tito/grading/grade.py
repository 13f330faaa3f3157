"""Grade the submissions of one module: read, normalise, run, record, and never twice."""

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import nbformat

from tito import engine, trusted
from tito.course import Course
from tito.engine.isolation import Isolation
from tito.engine.normalise import normalise
from tito.engine.reading import Unreadable, parse_submission, read_bytes
from tito.engine.runner import Limits, Runner, SubprocessRunner
from tito.engine.skeleton import Skeleton, load_skeleton
from tito.errors import CourseError
from tito.grading.gradebook import check_assignment, record, recorded_students, timestamp, update_penalties
from tito.grading.journal import Entry, Journal
from tito.grading.lock import alone
from tito.grading.stack import build_stack, stack_digest
from tito.grading.status import Status, status_of
from tito.grading.storage import room, storage
from tito.registry import Module
from tito.trusted.runner import TrustedRunner

GRADER, TRUSTED = Path(engine.__file__).parent, Path(trusted.__file__).parent  # what a result depends on
EXPOSED = "This was graded without isolation: student code could reach whatever the grader's account can reach."
Result = tuple[Entry, str]  # with the executed notebook as JSON text, "" when nothing was run


def submitted_students(course: Course, module: Module) -> list[str]:
    """Return the students who handed in the module, sorted."""
    found = course.submitted.glob(course.submission("*", module).relative_to(course.submitted).as_posix())
    return sorted(_name(path.parent.parent) for path in found)


def all_students(course: Course) -> list[str]:
    """Return everyone who handed in anything, sorted."""
    if not course.submitted.is_dir():
        return []
    return sorted(_name(f) for f in course.submitted.iterdir() if f.is_dir() and not f.name.startswith("."))


def _name(folder: Path) -> str:
    """A folder's name as text that can be stored and printed; one that is none cannot be read either."""
    return os.fsencode(folder.name).decode(errors="backslashreplace")


@dataclass(frozen=True)
class Plan:
    """What grading one module needs; made once, used for every submission."""

    course: Course
    module: Module
    skeleton: Skeleton
    stack: Path
    digest: str
    runner: Runner
    limits: Limits

    def key(self, data: bytes) -> str:
        """Hash of everything that the result of a submission depends on."""
        return hashlib.sha256(self.digest.encode() + data).hexdigest()


def scratch_folder(course: Course) -> Path:
    """Where grading keeps its temporary files; emptied at the start of every run."""
    return course.state / "run"


def make_plan(course: Course, module: Module, runner: Runner, limits: Limits) -> Plan:
    """Load the notebooks of a module and build the packages that it imports.

    Raises:
        CourseError: the module is not released, or has changed since.
    """
    full, released = course.built(module), course.released(module)
    skeleton = load_skeleton(released, full)
    check_assignment(course, module, skeleton)
    shutil.rmtree(scratch_folder(course), ignore_errors=True)
    folder = scratch_folder(course) / "stack"
    folder.mkdir(parents=True)
    stack = build_stack(course, module, folder)
    parts = [full, released, *sorted(GRADER.glob("*.py")), *sorted(TRUSTED.glob("*.py"))]
    digest = hashlib.sha256(f"{stack_digest(stack)} {limits} {getattr(runner, 'isolation', None)}".encode())
    for path in parts:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return Plan(course, module, skeleton, stack, digest.hexdigest(), runner, limits)


def grade_module(
    course: Course,
    module: Module,
    student: str | None = None,
    jobs: int = 1,
    limits: Limits | None = None,
    isolation: Isolation | None = None,
) -> Iterator[Entry]:
    """Grade one module, for one student or everyone who handed it in, and yield each result as it is done.

    With an `isolation` the tests run outside the student's process; without one beside the answers, as in a notebook.

    Raises:
        CourseError: nothing to grade, not released, changed since the release, or another command is at work.
    """
    students = require_submissions(course, module, student)
    work = f"{course.state.name}/"
    with (
        alone(course),
        room(work),
        storage(work),
        Journal(course.state) as journal,
        _runner(course, isolation) as runner,
    ):
        plan = make_plan(course, module, runner, limits or Limits())
        yield from grade_students(plan, journal, students, jobs)
        shutil.rmtree(scratch_folder(course), ignore_errors=True)


@contextmanager
def _runner(course: Course, isolation: Isolation | None) -> Iterator[Runner]:
    if isolation is None or (isolation is Isolation.NONE and sys.platform != "linux"):
        yield SubprocessRunner(scratch_folder(course), isolation)
        return
    with TrustedRunner(scratch_folder(course), isolation) as runner:
        yield runner


def grade_students(plan: Plan, journal: Journal, students: Sequence[str], jobs: int = 1) -> Iterator[Entry]:
    """Grade submissions, `jobs` at a time, and yield each as it is done.

    Only the caller's thread writes to the journal and the gradebook. A submission whose result is known is not run
    again, and one is read only when its turn has come. Whatever one does costs it alone; when the machine refuses
    (a full disk, a locked gradebook), what can be done for the others is done, and then the error is raised.
    """
    recorder = Recorder(plan, journal)
    running: set[Future[Result]] = set()
    pool = ThreadPoolExecutor(max_workers=jobs)
    try:
        for student in students:
            data = _read(plan, student)
            if isinstance(data, Entry):
                yield recorder.store(data, "")
            elif known := recorder.known(student, plan.key(data)):
                yield known
            else:
                running.add(pool.submit(_grade, plan, student, data))
            if len(running) > jobs:
                yield from _finished(running, recorder)
        while running:
            yield from _finished(running, recorder)
    finally:
        pool.shutdown(cancel_futures=True)
    if recorder.trouble:
        raise recorder.trouble
    update_penalties(plan.course, plan.module)


class Recorder:
    """Stores results: journal first, gradebook second, mark third; a kill in between is finished by the next run.

    `trouble` is the first refusal of the machine. After it nothing more goes to the gradebook, only to the journal.
    """

    def __init__(self, plan: Plan, journal: Journal) -> None:
        self.plan, self.journal = plan, journal
        self.trouble: Exception | None = None
        self._recorded = recorded_students(plan.course, plan.module)

    def known(self, student: str, key: str) -> Entry | None:
        """Return the entry of a submission that need not run, recorded now if it was not."""
        entry = self.journal.find(self.plan.module.folder, student)
        if entry is None or entry.key != key:
            return None
        course, module = self.plan.course, self.plan.module
        same_time = timestamp(course.submission(student, module)) == timestamp(course.graded(student, module))
        complete = student in self._recorded and same_time
        if entry.recorded and (complete or not entry.status.has_points):
            return entry
        return self._record(entry, self.journal.notebook(entry))

    def store(self, entry: Entry, notebook: str) -> Entry:
        """Store a fresh result; `notebook` is "" when nothing was run."""
        self.journal.put(entry, notebook)
        return self._record(entry, notebook)

    def _record(self, entry: Entry, notebook: str) -> Entry:
        if self.trouble:
            return entry
        try:
            if entry.status.has_points:
                record(self.plan.course, self.plan.module, entry.student, nbformat.reads(notebook, as_version=4))
            entry = replace(entry, recorded=True, trouble="")
        except (CourseError, OSError) as error:
            self.trouble = error
            return entry
        except Exception as error:  # noqa: BLE001  (nbgrader refuses what this submission brought)
            entry = replace(entry, recorded=False, trouble=f"The gradebook could not take it: {_words(error)}.")
        self.journal.mark(entry)
        return entry


def _finished(running: set[Future[Result]], recorder: Recorder) -> Iterator[Entry]:
    """Wait for a run, and store what is done; its notebook is not kept."""
    done, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        running.remove(future)
        error = future.exception()
        if error is None:
            yield recorder.store(*future.result())
        elif isinstance(error, CourseError | OSError):
            recorder.trouble = recorder.trouble or error
        else:
            raise error


def _read(plan: Plan, student: str) -> bytes | Entry:
    """The submitted file, or the entry that says why there is none."""
    try:
        return read_bytes(plan.course.submission(student, plan.module))
    except Unreadable as reason:
        return _unreadable(plan, student, str(reason))


def _grade(plan: Plan, student: str, data: bytes) -> Result:
    """Normalise and run one submission; touches no shared state."""
    try:
        return _run(plan, student, data)
    except Unreadable as reason:
        return _unreadable(plan, student, str(reason), data), ""
    except (CourseError, OSError):
        raise  # the machine's fault, not the submission's
    except Exception as error:  # noqa: BLE001  (a mistake of ours that one submission has found)
        note = f"tito failed on this submission ({_words(error)}). This is a bug of tito: please report it."
        return Entry(plan.module.folder, student, "", Status.FAILED, (note,)), ""  # no key: the next run tries again


def _run(plan: Plan, student: str, data: bytes) -> Result:
    normal = normalise(parse_submission(data), plan.skeleton)
    execution = plan.runner.run(normal.notebook, plan.stack, plan.limits)
    status = status_of(execution, repaired=bool(normal.repairs))
    exposed = (EXPOSED,) if execution.isolation is Isolation.NONE else ()
    notes = (*exposed, *normal.repairs, *execution.remarks, *normal.remarks)
    entry = Entry(plan.module.folder, student, plan.key(data), status, notes)
    return entry, nbformat.writes(execution.notebook)


def _unreadable(plan: Plan, student: str, reason: str, data: bytes = b"") -> Entry:
    note = f"The submission could not be read: {reason}. Please hand it in again."
    return Entry(plan.module.folder, student, plan.key(data or note.encode()), Status.UNREADABLE, (note,))


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300]


def require_submissions(course: Course, module: Module, student: str | None = None) -> list[str]:
    """Return whom to grade: `student`, or everyone who handed in the module.

    Raises:
        CourseError: there is nothing to grade.
    """
    students = submitted_students(course, module)
    if student is None:
        return students
    if student not in students:
        known = ", ".join(students) or "nobody yet"
        raise CourseError(f"There is no submission of {module.folder} by '{student}'.", f"Handed in: {known}.")
    return [student]
