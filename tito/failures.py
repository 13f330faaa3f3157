"""What a person is told when a command fails: whose fault it is, in one sentence, and the next step.

A mistake and a full disk can be put right by the person. Everything else is a bug of ours, and is called one.
"""

import errno
import os
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path

from tito.errors import CourseError

MISTAKE, BUG, INTERRUPTED = 2, 70, 130  # exit codes; 70 is EX_SOFTWARE of sysexits.h, 130 what shells say after Ctrl-C
DEBUG = "TITO_DEBUG"
OURS = ("tito", "tinytorch")

# What the operating system refuses, and what a person can do about it.
CURES = {
    errno.ENOSPC: "The disk is full: free some space, then try again.",
    errno.EDQUOT: "Your share of the disk is used up: free some space, then try again.",
    errno.EACCES: "Make it readable and writable, and close programs that use it.",
    errno.EPERM: "Make it readable and writable, and close programs that use it.",
    errno.EROFS: "It lies in a place that cannot be written: copy the whole folder to one of your own.",
    errno.ENOTDIR: "A file stands where a folder belongs: move it away.",
    errno.EEXIST: "A file stands where a folder belongs: move it away.",
    errno.EISDIR: "A folder stands where a file belongs: move it away.",
    errno.ENAMETOOLONG: "Move the whole folder to a shorter path.",
    errno.EMFILE: "Close other programs, then try again.",
    errno.EIO: "The disk does not answer: copy your work to another one.",
}


@dataclass(frozen=True)
class Failure:
    """What to print, and the exit code."""

    problem: str
    cure: str
    code: int = MISTAKE


def explain(error: Exception, logs: Path, report_to: str) -> Failure:
    """Return what a person should know about `error`.

    Args:
        error: what ended the command.
        logs: where the traceback of a bug is stored; the system's folder for temporary files when that is not possible.
        report_to: who wants to hear about a bug.
    """
    if isinstance(error, CourseError):
        return Failure(error.problem, error.cure)
    if isinstance(error, OSError) and error.errno in CURES:
        return Failure(f"{error.filename or 'A file'}: {error.strerror}.", CURES[error.errno])
    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] not in ("", *OURS):
        return Failure(f"The package '{error.name}' is not installed.", "Run 'python -m tito.doctor'.")
    line = traceback.format_exception_only(error)[-1].strip()
    log = save_traceback(error, logs)
    return Failure(f"This is a bug in tito, not in your work: {line}", f"Send {log} to {report_to}.", BUG)


def save_traceback(error: Exception, folder: Path) -> Path:
    """Store the traceback in `folder`, or with the system's temporary files, and return its path."""
    text = "".join(traceback.format_exception(error))
    for place in (folder, Path(tempfile.gettempdir())):
        path = place / "bug.log"
        try:
            place.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", errors="replace")
        except OSError:
            continue
        return path
    return Path(os.devnull)
