"""What became of a submission."""

from enum import StrEnum

from tito.engine.runner import Execution, Reason


class Status(StrEnum):
    """One word or two for the report; the notes beside it say more."""

    GRADED = "graded"
    REPAIRED = "repaired"  # graded, after the notebook was put right
    TIMED_OUT = "timed out"  # graded, without the cells that took too long
    CRASHED = "crashed"  # graded, without the cells that ended the process
    UNREADABLE = "unreadable"
    FAILED = "failed"  # tito itself did, on this submission
    NOT_RECORDED = "not recorded yet"
    NOT_GRADED = "not graded"
    MISSING = "missing"

    @property
    def has_points(self) -> bool:
        """Whether cells were run, so that there is something to record."""
        return self in (Status.GRADED, Status.REPAIRED, Status.TIMED_OUT, Status.CRASHED)


def status_of(execution: Execution, repaired: bool) -> Status:
    """Return the status of a notebook that was run."""
    reasons = {stop.reason for stop in execution.stops}
    if reasons & {Reason.CELL_TIME, Reason.TOTAL_TIME}:
        return Status.TIMED_OUT
    if reasons:
        return Status.CRASHED
    return Status.REPAIRED if repaired else Status.GRADED
