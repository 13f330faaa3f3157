"""Submissions on a Dask cluster, whose workers have this version of `tito` and nothing of the course.

What a module needs is sent once to each worker. Dask starts a submission again whose worker died; one in whose time
several died is given up. The gradebook and the journal stay with the one who asks.
"""

import contextlib
import io
import tempfile
import threading
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from distributed import CancelledError, Client, Future, KilledWorker, wait

from tito.errors import CourseError
from tito.grading.grade import Engine
from tito.grading.work import BUG, Outcome, Plan, Task, failed, grade_one, grader_digest, opened

AHEAD = 2  # submissions on their way for each thread of a worker
REACH = 10  # seconds for finding the scheduler
LOOK = 5  # seconds after which it is asked again whether the scheduler is there
DIED = f"Grading it ended several workers of the cluster. {BUG}"


@dataclass(frozen=True)
class Parcel:
    """All that a worker needs for a module: the plan, whose folders are not there, and the packed stack."""

    plan: Plan
    stack: bytes
    grader: str


@contextmanager
def cluster(address: str) -> Iterator[Engine]:
    """Connect to a scheduler, and yield what grades there.

    Raises:
        CourseError: there is none, or it has gone.
    """
    try:
        client = Client(address, timeout=REACH, set_as_default=False)
    except (OSError, ValueError) as error:
        raise CourseError(f"There is no Dask scheduler at {address}.", "Start one: dask scheduler.") from error
    with client:
        yield lambda plan, tasks: _graded(client, plan, tasks)


def _graded(client: Client, plan: Plan, tasks: Iterable[Task]) -> Iterator[Outcome]:
    """Grade submissions, some on their way for each thread, and yield each result as it comes."""
    parcel = client.submit(_kept, _parcel(plan), key=f"tito-{plan.digest}")  # a task, so that Dask can make it again
    waiting = iter(tasks)
    running: dict[Future, str] = {}  # whose submission it grades

    def send(count: int) -> None:
        for student, data in islice(waiting, count):
            _connected(client)
            running[client.submit(_grade_there, parcel, (student, data), pure=False)] = student

    try:
        send(AHEAD * max(1, sum(client.nthreads().values())))
        while running:
            for future in _ended(client, running):
                yield _outcome(plan, running.pop(future), future)
                send(1)
    except CancelledError:
        yield CourseError("The Dask cluster has gone.", "Start it, and run the command again; what is done stays done.")


def _ended(client: Client, running: Iterable[Future]) -> list[Future]:
    """Wait until there are results. One whose worker died with it is pending again: Dask makes it anew.

    Raises:
        CancelledError: the scheduler has gone.
    """
    while True:
        with client.as_current(), contextlib.suppress(TimeoutError):
            wait(list(running), timeout=LOOK, return_when="FIRST_COMPLETED")
        _connected(client)
        if ended := [future for future in running if future.status in ("finished", "error")]:
            return ended


def _connected(client: Client) -> None:
    """Make sure that the scheduler is there: a client that connects again has forgotten what it submitted.

    Raises:
        CancelledError: it has gone.
    """
    if client.status != "running":
        raise CancelledError


def _outcome(plan: Plan, student: str, future: Future) -> Outcome:
    if future.status != "error":
        try:
            outcome: Outcome = future.result()
        except OSError as gone:
            raise CancelledError from gone
        return outcome
    error = future.exception()
    if isinstance(error, KilledWorker):
        return failed(plan, student, DIED)
    if isinstance(error, CourseError | OSError):
        return error
    raise error


def _parcel(plan: Plan) -> Parcel:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(plan.stack.rglob("*")):
            if path.is_file():
                packed.write(path, path.relative_to(plan.stack).as_posix())
    return Parcel(plan, file.getvalue(), grader_digest())


def _kept(parcel: Parcel) -> Parcel:
    """What a worker keeps for the submissions of a module."""
    return parcel


class _Here(threading.local):
    """What a thread of a worker has ready: a plan with folders of this machine, and a runner."""

    digest = ""

    def open(self, parcel: Parcel) -> None:
        """Make ready for a module."""
        self.close()
        self._folder = tempfile.TemporaryDirectory(prefix="tito-", ignore_cleanup_errors=True)
        folder = Path(self._folder.name)
        zipfile.ZipFile(io.BytesIO(parcel.stack)).extractall(folder / "stack")
        (folder / "run").mkdir()
        self.plan = replace(parcel.plan, stack=folder / "stack", scratch=folder / "run")
        self._open = opened(self.plan)
        self.runner, self.digest = self._open.__enter__(), self.plan.digest

    def close(self) -> None:
        """Leave the module before."""
        if self.digest:
            self._open.__exit__(None, None, None)
            self._folder.cleanup()
            self.digest = ""


_here = _Here()


def _grade_there(parcel: Parcel, task: Task) -> Outcome:
    """Grade a submission in a thread of a worker."""
    if parcel.grader != grader_digest():
        return CourseError("A worker of the Dask cluster has another version of tito.", "Install this one there.")
    if _here.digest != parcel.plan.digest:
        _here.open(parcel)
    return grade_one(_here.plan, _here.runner, task)
