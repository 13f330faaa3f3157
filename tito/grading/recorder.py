"""Results on their way into the gradebook: journal first, gradebook second, mark third."""

from dataclasses import replace

from nbformat import v4
from nbgrader.api import Gradebook

from tito.course import Course
from tito.errors import CourseError
from tito.grading.gradebook import recorded_students, timestamp
from tito.grading.journal import Entry, Journal
from tito.grading.record import record
from tito.grading.work import words
from tito.registry import Module


class Recorder:
    """Stores the results of one module; a kill in between is finished by the next run.

    `trouble` is the first refusal of the machine. After it nothing more goes to the gradebook, only to the journal.
    """

    def __init__(self, course: Course, module: Module, journal: Journal, gradebook: Gradebook) -> None:
        self.course, self.module, self.journal, self.gradebook = course, module, journal, gradebook
        self.trouble: Exception | None = None
        self._recorded = recorded_students(gradebook, course, module)

    def known(self, student: str, key: str) -> Entry | None:
        """Return the entry of a submission that need not run, recorded now if it was not."""
        entry = self.journal.find(self.module.folder, student)
        if entry is None or entry.key != key:
            return None
        handed_in, graded = (place(student, self.module) for place in (self.course.submission, self.course.graded))
        complete = student in self._recorded and timestamp(handed_in) == timestamp(graded)
        if entry.recorded and (complete or not entry.status.has_points):
            return entry
        return self._record(entry, self.journal.notebook(entry))

    def store(self, entry: Entry, notebook: str) -> Entry:
        """Store a fresh result; `notebook` is "" when nothing was run."""
        self.journal.put(entry, notebook)
        return self._record(entry, notebook)

    def _record(self, entry: Entry, notebook: str) -> Entry:
        if self.trouble:
            return entry
        try:
            if entry.status.has_points:
                node = v4.reads(notebook)
                record(self.gradebook, self.course, self.module, entry.student, node)
            entry = replace(entry, recorded=True, trouble="")
        except (CourseError, OSError) as error:
            self.trouble = error
            return entry
        except Exception as error:  # noqa: BLE001  (nbgrader refuses what this submission brought)
            entry = replace(entry, recorded=False, trouble=f"The gradebook could not take it: {words(error)}.")
        self.journal.mark(entry)
        return entry
