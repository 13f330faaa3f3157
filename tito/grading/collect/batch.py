"""Many files written with one sync of the disk: aside at first, and into their places once all of them are safe."""

import os
import shutil
from pathlib import Path
from types import TracebackType

from tito.course import Course


class Batch:
    """Files to write and to remove, in an order that another run can go on from; a context manager.

    Nothing changes before `commit`. A power cut or a kill in it leaves the first steps done, each of them whole.
    """

    def __init__(self, course: Course) -> None:
        self._aside = course.incoming
        self._steps: list[tuple[Path | None, Path]] = []  # what is to be put where, or None: remove it

    def __enter__(self) -> "Batch":
        self._clear()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._clear()

    def write(self, path: Path, data: bytes) -> None:
        """Let `path` hold `data` after `commit`.

        Raises:
            OSError: there is no room for it; the error names `path` and not the file aside.
        """
        fresh = self._aside / str(len(self._steps))
        try:
            self._aside.mkdir(parents=True, exist_ok=True)
            with fresh.open("wb") as stream:
                stream.write(data)
                if not hasattr(os, "sync"):  # Windows
                    stream.flush()
                    os.fsync(stream.fileno())
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error
        self._steps.append((fresh, path))

    def remove(self, path: Path) -> None:
        """Let there be no `path` after `commit`."""
        self._steps.append((None, path))

    def commit(self) -> None:
        """Sync the disk once, then do every step in its order."""
        if self._steps and hasattr(os, "sync"):
            os.sync()
        for fresh, path in self._steps:
            if fresh is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                os.chmod(fresh, 0o644)
                os.replace(fresh, path)
        self._steps.clear()

    def _clear(self) -> None:
        if self._aside.is_dir():
            shutil.rmtree(self._aside)
