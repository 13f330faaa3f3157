"""What in an inbox is no hand-in: the rest of a student's kit, a platform's notes, a program's own files."""

from collections.abc import Sequence

from tito.course import Course
from tito.engine.reading import Unreadable
from tito.grading.collect.inbox import Item, is_hidden
from tito.grading.collect.listing import Listed
from tito.grading.collect.names import is_note, is_notebook, read_path

KIT_MARK = "nbgrader_config.py"  # as in `find_course`
PACKED = (".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz")


class Sieve:
    """Holds back what cannot be a hand-in; knows the kits in the inbox."""

    def __init__(self, course: Course, items: Sequence[Item]) -> None:
        self._course = course
        self._paths = {item.parts for item in items}
        self._kits = {item.parts[:-1] for item in items if item.parts[-1] == KIT_MARK}

    def holds_back(self, item: Item) -> Listed | None:
        """Return why a file is no hand-in; None for a notebook that may be one."""
        name = item.parts[-1]
        if any(map(is_hidden, item.parts)):
            return Listed(item.label, "a hidden file or a program's own")
        kit = self._kit(item.parts)
        if is_notebook(name):
            return self._blank(item, kit) if kit is not None else None
        if is_note(name):
            return Listed(item.label, "Blackboard's note on a hand-in")
        if kit is not None:
            return Listed(item.label, "a file of the student kit")
        if name.lower().endswith(PACKED):
            return Listed(item.label, "only zips are opened", "Unpack it, and collect again.")
        return Listed(item.label, "it is not a notebook", "Ask for the notebook, a file that ends in .ipynb.")

    def _kit(self, parts: tuple[str, ...]) -> tuple[str, ...] | None:
        return next((parts[:n] for n in range(len(parts) - 1, -1, -1) if parts[:n] in self._kits), None)

    def _blank(self, item: Item, kit: tuple[str, ...]) -> Listed | None:
        """A kit holds each notebook twice: as it was given out in `release/`, and the student's in `work/`."""
        inside = item.parts[len(kit) :]
        module = read_path(item.parts).module
        if inside[0] != "release" or module is None:
            return None
        if (*kit, "work", *inside[1:]) in self._paths:
            return Listed(item.label, "the notebook as it was given out; the student's is in work/")
        released = self._course.released(module)
        try:
            if released.is_file() and item.read() == released.read_bytes():
                return Listed(item.label, "the notebook as it was given out")
        except Unreadable as reason:
            return Listed(item.label, str(reason), "Ask for it again.")
        hint = "If it is a student's work, take it out of release/."
        return Listed(item.label, "it stands where the kit has its blank notebooks", hint)
