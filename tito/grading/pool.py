"""Submissions on all processors: one process for each, and what befalls one submission costs it alone."""

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any

from tito.grading.work import BUG, Outcome, Plan, Task, failed, grade_one, opened

PATIENCE = 60.0  # seconds that a worker may take besides what one submission is allowed
TRIES = 2  # of a submission in whose time a worker died: another program may have been to blame
DIED = f"Grading it ended the grader's own process {TRIES} times. {BUG}"
HUNG = f"Grading it took longer than {{seconds:g}} seconds and was stopped. {BUG}"
SET_PDEATHSIG = 1  # PR_SET_PDEATHSIG of Linux, see prctl(2)


def in_processes(plan: Plan, tasks: Iterable[Task], jobs: int) -> Iterator[Outcome]:
    """Grade submissions in `jobs` processes, which end with this one; at most `jobs` are in memory.

    A worker that dies or hangs is replaced.
    """
    waiting, workers = iter(tasks), [_Worker(plan, place) for place in _places(jobs)]
    try:
        for worker in workers:
            worker.take(next(waiting, None))
        while busy := [worker for worker in workers if worker.task]:
            ready = wait([worker.pipe for worker in busy], timeout=max(0.0, min(w.patience for w in busy)))
            for worker in busy:
                outcome = worker.outcome() if worker.pipe in ready else worker.overdue()
                if outcome is not None:
                    worker.take(next(waiting, None))
                    yield outcome
    finally:
        for worker in workers:
            worker.end()


def _places(jobs: int) -> list[set[int]]:
    """The processors of each worker: one where there are enough workers for all, else any.

    Fewer workers leave processors to others, such as another part of the class, who may not crowd on the first ones.
    """
    if sys.platform != "linux":
        return [set()] * jobs
    processors = sorted(os.sched_getaffinity(0))
    if jobs < len(processors):
        return [set(processors)] * jobs
    return [{processors[number % len(processors)]} for number in range(jobs)]


class _Worker:
    """A process, and the submission that it has."""

    def __init__(self, plan: Plan, place: set[int]) -> None:
        self.plan, self.place, self.allowed = plan, place, plan.limits.total_seconds + PATIENCE
        self.task: Task | None = None
        self._start()

    def _start(self) -> None:
        context: Any = get_context("fork" if sys.platform == "linux" else "spawn")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, self.plan, self.place, os.getpid()), daemon=True)
        self._process.start()
        theirs.close()

    def take(self, task: Task | None, tries: int = 1) -> None:
        """Begin with a submission; None is the end of them."""
        self.task, self._tries, self._deadline = task, tries, time.monotonic() + self.allowed
        if task:
            with contextlib.suppress(BrokenPipeError):  # it is dead, which `outcome` will see
                self.pipe.send(task)

    @property
    def patience(self) -> float:
        """Seconds until the submission has taken too long."""
        return self._deadline - time.monotonic()

    def outcome(self) -> Outcome | None:
        """Return what the process says; None when it died and another one tries again."""
        assert self.task
        try:
            outcome: Outcome = self.pipe.recv()
        except (EOFError, OSError):
            self.end()
            self._start()
            if self._tries == TRIES:
                return failed(self.plan, self.task[0], DIED)
            self.take(self.task, self._tries + 1)
            return None
        return outcome

    def overdue(self) -> Outcome | None:
        """Replace a process that hangs; return None when it has time left."""
        assert self.task
        if self.patience > 0:
            return None
        self.end()
        self._start()
        return failed(self.plan, self.task[0], HUNG.format(seconds=self.allowed))

    def end(self) -> None:
        """Leave no process behind."""
        self._process.kill()
        self._process.join()
        self._process.close()
        self.pipe.close()


def _work(pipe: Connection, plan: Plan, place: set[int], parent: int) -> None:
    """What a worker does until its parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, who ends this process
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            return
        os.sched_setaffinity(0, place)
    with opened(plan) as runner, contextlib.suppress(EOFError):
        while True:
            pipe.send(grade_one(plan, runner, pipe.recv()))
