"""Writing files and folders so that a crash leaves either the old content or the new, never half of it."""

import ctypes
import os
import shutil
import tempfile
from pathlib import Path

UNFINISHED = ".*.*.tmp"  # what a file is called until it is complete
HERE, EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux, see renameat2(2)


def write_atomic(path: Path, content: str | bytes) -> None:
    """Replace `path` with `content` in one step, making its folder when missing.

    The data reaches the disk before the rename, so a power cut keeps the old file or the new one.

    Raises:
        OSError: it cannot be written; the error names `path` and not the temporary file beside it.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    try:
        _replace(path, data)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _replace(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, fresh = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")  # as `UNFINISHED` has it
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(fresh, 0o644)
        os.replace(fresh, path)
    except BaseException:
        Path(fresh).unlink(missing_ok=True)
        raise


def remove_unfinished(folder: Path) -> None:
    """Remove what a killed `write_atomic` left anywhere below `folder`, where nobody may be writing now."""
    for path in folder.rglob(UNFINISHED):
        path.unlink(missing_ok=True)


def replace_folder(fresh: Path, target: Path) -> None:
    """Put the folder `fresh` in the place of `target`; both are on one file system.

    Where the system cannot let two folders change names (all but Linux), a kill between two renames leaves no `target`.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        os.rename(fresh, target)
        return
    if not _exchange(fresh, target):
        aside = fresh.with_name(f"{fresh.name}.aside")
        os.rename(target, aside)
        os.rename(fresh, target)
        os.rename(aside, fresh)
    shutil.rmtree(fresh)


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders change names in one step, where the system can."""
    try:
        rename = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    return bool(rename(HERE, os.fsencode(one), HERE, os.fsencode(other), EXCHANGE) == 0)
