"""Grade the submissions of one module: read, normalise, run, record, and never twice."""

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import nbformat

from tito import engine
from tito.course import Course
from tito.engine.normalise import normalise
from tito.engine.reading import Unreadable, parse_submission, read_bytes
from tito.engine.runner import Limits, Runner, SubprocessRunner
from tito.engine.skeleton import Skeleton, load_skeleton
from tito.errors import CourseError
from tito.grading.gradebook import check_assignment, record, recorded_students
from tito.grading.journal import Entry, Journal
from tito.grading.stack import build_stack, stack_digest
from tito.registry import Module

GRADER = Path(engine.__file__).parent  # what a result depends on


def submitted_students(course: Course, module: Module) -> list[str]:
    """Return the students who handed in the module, sorted."""
    found = course.submitted.glob(course.submission("*", module).relative_to(course.submitted).as_posix())
    return sorted(path.parent.parent.name for path in found)


def all_students(course: Course) -> list[str]:
    """Return everyone who handed in anything, sorted."""
    if not course.submitted.is_dir():
        return []
    return sorted(f.name for f in course.submitted.iterdir() if f.is_dir() and not f.name.startswith("."))


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
    parts = [full, released, *sorted(GRADER.glob("*.py"))]
    digest = hashlib.sha256(f"{stack_digest(stack)} {limits}".encode())
    for path in parts:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return Plan(course, module, skeleton, stack, digest.hexdigest(), runner, limits)


def grade_module(
    course: Course, module: Module, student: str | None = None, jobs: int = 1, limits: Limits | None = None
) -> Iterator[Entry]:
    """Grade one module, for one student or everyone who handed it in, and yield each result as it is done.

    Raises:
        CourseError: nothing to grade, not released, changed since the release, or another process is grading.
    """
    students = require_submissions(course, module, student)
    with Journal(course.state) as journal:  # from here on nobody else grades in this course
        runner = SubprocessRunner(scratch_folder(course))
        plan = make_plan(course, module, runner, limits or Limits())
        yield from grade_students(plan, journal, students, jobs)
        shutil.rmtree(scratch_folder(course), ignore_errors=True)


def grade_students(plan: Plan, journal: Journal, students: Sequence[str], jobs: int = 1) -> Iterator[Entry]:
    """Grade submissions, `jobs` at a time, and yield each as it is done.

    Only the caller's thread writes to the journal and the gradebook. A submission whose result is known is not run
    again. When one fails for a reason that is ours, the others are still graded, and then the error is raised.
    """
    recorded = recorded_students(plan.course, plan.module)
    errors: list[BaseException] = []
    waiting: list[tuple[str, bytes]] = []
    for student in students:
        try:
            data = read_bytes(plan.course.submission(student, plan.module))
        except Unreadable as reason:
            yield _finish(plan, journal, _unreadable(plan, student, str(reason)))
            continue
        entry = journal.find(plan.module.folder, student)
        if entry is None or entry.key != plan.key(data):
            waiting.append((student, data))
        elif entry.recorded and (student in recorded or not entry.notebook):
            yield entry
        else:
            yield _finish(plan, journal, entry)
    pool = ThreadPoolExecutor(max_workers=max(1, jobs))
    try:
        futures: list[Future[Entry]] = [pool.submit(_run, plan, student, data) for student, data in waiting]
        for future in as_completed(futures):
            if error := future.exception():
                errors.append(error)
            else:
                yield _finish(plan, journal, future.result())
    finally:
        pool.shutdown(cancel_futures=True)
    if errors:
        raise errors[0]


def _run(plan: Plan, student: str, data: bytes) -> Entry:
    """Normalise and run one submission; touches no shared state."""
    try:
        submission = parse_submission(data)
    except Unreadable as reason:
        return _unreadable(plan, student, str(reason), data)
    normal = normalise(submission, plan.skeleton)
    execution = plan.runner.run(normal.notebook, plan.stack, plan.limits)
    status = execution.status
    if status == "graded" and normal.repairs:
        status = "repaired"
    notes = (*normal.repairs, *execution.remarks, *normal.remarks)
    return Entry(
        plan.module.folder, student, plan.key(data), status, notes, nbformat.writes(execution.notebook), recorded=False
    )


def _unreadable(plan: Plan, student: str, reason: str, data: bytes = b"") -> Entry:
    note = f"The submission could not be read: {reason}. Please hand it in again."
    return Entry(
        plan.module.folder, student, plan.key(data or note.encode()), "unreadable", (note,), "", recorded=False
    )


def _finish(plan: Plan, journal: Journal, entry: Entry) -> Entry:
    """Journal first, gradebook second, mark third: a kill in between is finished by the next run."""
    journal.put(entry)
    if entry.notebook:
        record(plan.course, plan.module, entry.student, nbformat.reads(entry.notebook, as_version=4))
    journal.mark_recorded(entry)
    return entry


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
