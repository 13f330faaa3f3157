"""Where things are: the folders of a course or of a student kit."""

from dataclasses import dataclass
from pathlib import Path

from tito.errors import CourseError

COURSE_NAME = "tinytorch"


@dataclass(frozen=True)
class Course:
    """A checkout of the course (instructor) or an unzipped student kit; `root` holds `pyproject.toml`."""

    root: Path

    @property
    def modules(self) -> Path:
        """Hand-written teaching sources (absent in a student kit)."""
        return self.root / "modules"

    @property
    def package(self) -> Path:
        """The exported framework."""
        return self.root / "tinytorch"

    @property
    def source(self) -> Path:
        """Notebooks with solutions, built from the modules; nbgrader's `source`."""
        return self.root / "source"

    @property
    def release(self) -> Path:
        """Notebooks without solutions; nbgrader's `release`."""
        return self.root / "release"

    @property
    def submitted(self) -> Path:
        """What students handed in: `submitted/STUDENT/NN_name/name.ipynb`."""
        return self.root / "submitted"

    @property
    def autograded(self) -> Path:
        """Graded notebooks; nbgrader's `autograded`."""
        return self.root / "autograded"

    @property
    def feedback(self) -> Path:
        """HTML pages for students; nbgrader's `feedback`."""
        return self.root / "feedback"

    @property
    def gradebook(self) -> Path:
        """nbgrader's database."""
        return self.root / "gradebook.db"

    @property
    def state(self) -> Path:
        """tito's own working files: the grading journal, caches, logs."""
        return self.root / ".tito"


def find_course(start: Path | None = None) -> Course:
    """Return the course that contains `start` (the working directory by default).

    Raises:
        CourseError: no parent folder is a course or a student kit.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "nbgrader_config.py").is_file() and (folder / "pyproject.toml").is_file():
            return Course(folder)
    raise CourseError(
        f"{here} is not inside a TinyTorch course or student kit.", "Change into the folder you cloned or unzipped."
    )
