"""Grade the submissions of one module: read, normalise, run, record, and never twice."""

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

from tito.course import Course
from tito.engine.isolation import Isolation
from tito.engine.runner import Limits, SubprocessRunner
from tito.engine.skeleton import load_skeleton
from tito.errors import CourseError
from tito.grading.by_hand import keep, put_back
from tito.grading.gradebook import check_assignment, open_gradebook, update_penalties
from tito.grading.journal import Entry, Journal
from tito.grading.lock import alone
from tito.grading.pool import in_processes
from tito.grading.recorder import Recorder
from tito.grading.storage import room, storage
from tito.grading.work import MakeRunner, Outcome, Plan, Task, grade_one, make_plan, opened, read
from tito.printable import printable
from tito.registry import Module
from tito.trusted.runner import TrustedRunner

OTHER_NAME = "Not graded: the notebook is called '{name}' instead of '{wanted}'. Rename it."
Engine = Callable[[Plan, Iterable[Task]], Iterator[Outcome]]  # whatever runs submissions, in any order


def submitted_students(course: Course, module: Module) -> list[str]:
    """Return the students who handed in the module, sorted."""
    found = course.submitted.glob(course.submission("*", module).relative_to(course.submitted).as_posix())
    return sorted(_name(path.parent.parent) for path in found)


def misnamed(course: Course, module: Module) -> dict[str, str]:
    """Return whose folder of the module holds notebooks, but none of its name; and what is to be said of it."""
    found = {}
    for folder in sorted(course.submitted.glob(f"*/{module.folder}")):
        wanted = course.submission(folder.parent.name, module).name
        names = sorted(_name(path) for path in folder.glob("*.ipynb"))
        if names and wanted not in names:
            found[_name(folder.parent)] = OTHER_NAME.format(name=printable(names[0]), wanted=wanted)
    return found


def all_students(course: Course) -> list[str]:
    """Return everyone who handed in anything, sorted."""
    if not course.submitted.is_dir():
        return []
    return sorted(_name(f) for f in course.submitted.iterdir() if f.is_dir() and not f.name.startswith("."))


def _name(folder: Path) -> str:
    """A folder's name as text that can be stored and printed; one that is none cannot be read either."""
    return os.fsencode(folder.name).decode(errors="backslashreplace")


class Store(Protocol):
    """Where results go."""

    trouble: Exception | None

    def known(self, student: str, key: str) -> Entry | None:
        """Return the entry of a submission that need not run."""
        ...

    def store(self, entry: Entry, notebook: str) -> Entry:
        """Keep a result."""
        ...


def scratch_folder(course: Course) -> Path:
    """Where grading keeps its temporary files; emptied at the start of every run."""
    return course.state / "run"


def runner_of_this_machine(isolation: Isolation) -> MakeRunner:
    """What makes the runners of submissions; where there is no sandbox to be had, tests run beside the answers."""
    return SubprocessRunner if isolation is Isolation.NONE and sys.platform != "linux" else TrustedRunner


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def engine_with(jobs: int) -> Engine:
    """What runs `jobs` submissions at a time on this machine: processes, or with one job this process."""
    return in_turn if jobs == 1 else lambda plan, tasks: in_processes(plan, tasks, jobs)


def in_turn(plan: Plan, tasks: Iterable[Task]) -> Iterator[Outcome]:
    """Grade one submission after the other in this process."""
    with opened(plan) as runner:
        for task in tasks:
            yield grade_one(plan, runner, task)


def grade_module(
    course: Course,
    module: Module,
    student: str | None = None,
    jobs: int = 1,
    limits: Limits | None = None,
    engine: Engine | None = None,
    isolation: Isolation = Isolation.SANDBOX,
) -> Iterator[Entry]:
    """Grade one module, for one student or everyone who handed it in, and yield each result as it is done.

    Args:
        course: where all of it is.
        module: which one.
        student: only this one.
        jobs: how many submissions run at a time.
        limits: what one of them may use.
        engine: where they run, instead of `jobs` processes of this machine.
        isolation: what student code runs in.

    Raises:
        CourseError: nothing to grade, not released, changed since the release, or another command is at work.
    """
    students = require_submissions(course, module, student)
    work = f"{course.state.name}/"
    with alone(course), room(work), storage(work), Journal(course.state) as journal:
        check_released(course, module)
        runner = runner_of_this_machine(isolation)
        plan = make_plan(course, module, isolation, runner, limits or Limits(), scratch_folder(course))
        with open_gradebook(course) as gradebook:
            keep(course, gradebook)
            recorder = Recorder(course, module, journal, gradebook)
            yield from grade_students(course, plan, recorder, students, engine or engine_with(jobs))
            put_back(course, module, gradebook)
        update_penalties(course, module)
        shutil.rmtree(scratch_folder(course), ignore_errors=True)


def check_released(course: Course, module: Module) -> None:
    """Make sure that the gradebook can take results of the module.

    Raises:
        CourseError: the module is not released, or has changed since.
    """
    check_assignment(course, module, load_skeleton(course.released(module), course.built(module)))


def grade_students(
    course: Course, plan: Plan, store: Store, students: Iterable[str], engine: Engine
) -> Iterator[Entry]:
    """Grade submissions and yield each as it is done.

    Only the caller's process writes to the store. A submission whose result is known is not run again, and one is read
    only when its turn has come. Whatever one does costs it alone; when the machine refuses (a full disk, a locked
    gradebook), what can be done for the others is done, and then the error is raised.
    """
    done: list[Entry] = []  # without running anything

    def tasks() -> Iterator[Task]:
        for student in students:
            data = read(plan, course, student)
            if isinstance(data, Entry):
                done.append(store.store(data, ""))
            elif (known := store.known(student, plan.key(data))) and plan.accepts(known):
                done.append(known)
            else:
                yield student, data

    for outcome in engine(plan, tasks()):
        if isinstance(outcome, tuple):
            done.append(store.store(*outcome))
        else:
            store.trouble = store.trouble or outcome
        while done:
            yield done.pop()
    yield from done
    if store.trouble:
        raise store.trouble


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
