"""What grading one submission needs, and doing it: touches nothing that is shared, so that any process can do it."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tito import engine, trusted
from tito.course import Course
from tito.engine.isolation import Isolation
from tito.engine.normalise import normalise
from tito.engine.reading import Unreadable, parse_submission, read_bytes
from tito.engine.runner import Limits, Runner
from tito.engine.skeleton import Skeleton, load_skeleton
from tito.errors import CourseError
from tito.grading.journal import Entry
from tito.grading.stack import build_stack, stack_digest
from tito.grading.status import Status, status_of
from tito.registry import Module

GRADER = (Path(engine.__file__).parent, Path(trusted.__file__).parent)  # what a result depends on
EXPOSED = "This was graded without isolation: student code could reach whatever the grader's account can reach."
BUG = "This is a bug of tito: please report it."
Task = tuple[str, bytes]  # a student, and what was handed in
Result = tuple[Entry, str]  # with the executed notebook as JSON text, "" when nothing was run
Outcome = Result | CourseError | OSError  # the machine refuses (a full disk); the submission has nothing to do with it
MakeRunner = Callable[[Path, Isolation], Runner]


@dataclass(frozen=True)
class Plan:
    """What grading one module needs; made once, used for every submission.

    module:    which one.
    isolation: what student code runs in.
    skeleton:  what answers are laid onto.
    stack:     the folder that its cells import from.
    scratch:   where runners keep their temporary files.
    digest:    hash of all that a result depends on but the submission.
    release:   hash of the module's notebooks alone.
    runner:    makes what runs the cells, from `scratch` and `isolation`; called in the process that will use it.
    limits:    what one submission may use.
    """

    module: Module
    isolation: Isolation
    skeleton: Skeleton
    stack: Path
    scratch: Path
    digest: str
    release: str
    runner: MakeRunner
    limits: Limits

    def key(self, data: bytes) -> str:
        """Hash of everything that the result of a submission depends on."""
        return hashlib.sha256(self.digest.encode() + data).hexdigest()

    def accepts(self, entry: Entry) -> bool:
        """Whether a result that is there already was isolated as this run asks for."""
        return self.isolation is Isolation.NONE or EXPOSED not in entry.notes


def make_plan(
    course: Course, module: Module, isolation: Isolation, runner: MakeRunner, limits: Limits, scratch: Path
) -> Plan:
    """Load the notebooks of a module and build the packages that it imports, in an emptied `scratch`.

    Raises:
        CourseError: the module is not released.
    """
    full, released = course.built(module), course.released(module)
    skeleton = load_skeleton(released, full)
    shutil.rmtree(scratch, ignore_errors=True)
    folder = scratch / "stack"
    folder.mkdir(parents=True)
    stack = build_stack(course, module, folder)
    release = release_digest(course, module)
    parts = f"{stack_digest(stack)} {limits} {release} {grader_digest()}"
    digest = hashlib.sha256(parts.encode()).hexdigest()
    return Plan(module, isolation, skeleton, stack, scratch, digest, release, runner, limits)


@cache
def grader_digest() -> str:
    """Return a hash of this version of the grader."""
    digest = hashlib.sha256()
    for path in sorted(path for folder in GRADER for path in folder.rglob("*.py")):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def release_digest(course: Course, module: Module) -> str:
    """Return a hash of the module's notebooks, "" when there are none."""
    paths = (course.built(module), course.released(module))
    if not all(path.is_file() for path in paths):
        return ""
    return hashlib.sha256(b"".join(hashlib.sha256(path.read_bytes()).digest() for path in paths)).hexdigest()


@contextmanager
def opened(plan: Plan) -> Iterator[Runner]:
    """A runner of this process's own, for as long as there is work."""
    runner = plan.runner(plan.scratch, plan.isolation)
    if isinstance(runner, AbstractContextManager):
        with runner as entered:
            yield entered
    else:
        yield runner


def read(plan: Plan, course: Course, student: str) -> bytes | Entry:
    """The submitted file, or the entry that says why there is none."""
    try:
        return read_bytes(course.submission(student, plan.module))
    except Unreadable as reason:
        return _unreadable(plan, student, str(reason))


def grade_one(plan: Plan, runner: Runner, task: Task) -> Outcome:
    """Normalise and run one submission."""
    student, data = task
    try:
        return _run(plan, runner, student, data)
    except Unreadable as reason:
        return _unreadable(plan, student, str(reason), data), ""
    except (CourseError, OSError) as refusal:
        return refusal
    except Exception as error:  # noqa: BLE001  (a mistake of ours that one submission has found)
        return failed(plan, student, f"tito failed on this submission ({words(error)}). {BUG}")


def failed(plan: Plan, student: str, note: str) -> Result:
    """The result of a submission that tito could not grade; it has no key, so the next run tries again."""
    return Entry(plan.module.folder, student, "", Status.FAILED, (note,)), ""


def words(error: Exception) -> str:
    """An error in one line."""
    return f"{type(error).__name__}: {error}"[:300]


def _run(plan: Plan, runner: Runner, student: str, data: bytes) -> Result:
    normal = normalise(parse_submission(data), plan.skeleton)
    execution = runner.run(normal.notebook, plan.stack, plan.limits)
    status = status_of(execution, repaired=bool(normal.repairs))
    exposed = (EXPOSED,) if execution.isolation is Isolation.NONE else ()
    notes = (*exposed, *normal.repairs, *execution.remarks, *normal.remarks)
    entry = Entry(plan.module.folder, student, plan.key(data), status, notes, release=plan.release)
    return entry, json.dumps(execution.notebook, ensure_ascii=False)  # each of its parts was checked on its way in


def _unreadable(plan: Plan, student: str, reason: str, data: bytes = b"") -> Entry:
    note = f"The submission could not be read: {reason}. Please hand it in again."
    return Entry(plan.module.folder, student, plan.key(data or note.encode()), Status.UNREADABLE, (note,))
