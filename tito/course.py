"""Where things are: the folders of a course or of a student kit."""

from dataclasses import dataclass
from pathlib import Path

from tito.errors import CourseError
from tito.registry import Module

COURSE_NAME = "tinytorch"
KIT_NAME = "tinytorch-kit"


@dataclass(frozen=True)
class Course:
    """A checkout of the course (instructor) or an unzipped student kit; `root` holds `pyproject.toml`."""

    root: Path

    @property
    def is_kit(self) -> bool:
        """Whether this is a student's kit: it has no teaching sources."""
        return not self.modules.is_dir()

    @property
    def modules(self) -> Path:
        """Hand-written teaching sources (absent in a student kit)."""
        return self.root / "modules"

    @property
    def package(self) -> Path:
        """The exported framework."""
        return self.root / "tinytorch"

    @property
    def milestones(self) -> Path:
        """The famous networks that run on the package."""
        return self.root / "milestones"

    @property
    def pictures(self) -> Path:
        """What the milestones draw."""
        return self.root / "pictures"

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
    def history(self) -> Path:
        """Earlier hand-ins, replaced by newer ones; hidden, so that nbgrader takes nobody for a student."""
        return self.submitted / ".history"

    @property
    def incoming(self) -> Path:
        """Hand-ins on their way into `submitted/`, on the same disk; hidden as the history is."""
        return self.submitted / ".incoming"

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
    def kit(self) -> Path:
        """The student kit as a folder; its zip stands beside it."""
        return self.root / "kit" / KIT_NAME

    @property
    def state(self) -> Path:
        """tito's own working files: the grading journal, caches, logs."""
        return self.root / ".tito"

    @property
    def last_collect(self) -> Path:
        """What the last `tito collect` left over."""
        return self.state / "collect.json"

    def shown(self, path: Path) -> str:
        """How people are told of a path: from the course's folder where it lies in there, else by its name."""
        path, root = path.resolve(), self.root.resolve()
        return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name

    # One module's files

    def teaching_source(self, module: Module) -> Path:
        """The hand-written `_dev.py`."""
        return self.root / module.source

    def built(self, module: Module) -> Path:
        """The notebook with solutions."""
        return self.source / _notebook(module)

    def released(self, module: Module) -> Path:
        """The notebook as students receive it."""
        return self.release / _notebook(module)

    def work(self, module: Module) -> Path:
        """The notebook in which the student of a kit writes."""
        return self.root / "work" / _notebook(module)

    def exported(self, module: Module) -> Path:
        """The module's file in the package."""
        return self.root / module.target

    def tests(self, module: Module) -> Path:
        """The folder with the module's tests, misconceptions and alternatives."""
        return self.root / "tests" / module.folder

    def checkpoint(self, module: Module) -> Path:
        """The test of what a student can do once the module is exported."""
        return self.root / "tests" / "checkpoints" / f"checkpoint_{module.folder}.py"

    def beliefs(self, module: Module) -> Path:
        """What each misconception of the module answers to each check, as digests."""
        return self.root / "tito" / "lab" / "beliefs" / f"{module.folder}.json"

    def mutation(self, module: Module) -> Path:
        """How many mutants of the module's answers its tests killed."""
        return self.tests(module) / "mutation.json"

    def submission(self, student: str, module: Module) -> Path:
        """What a student handed in."""
        return self.submitted / student / _notebook(module)

    def earlier(self, student: str, module: Module) -> Path:
        """The folder of a student's earlier hand-ins of a module."""
        return self.history / student / module.folder

    def graded(self, student: str, module: Module) -> Path:
        """A submission after grading."""
        return self.autograded / student / _notebook(module)

    def feedback_page(self, student: str, module: Module) -> Path:
        """What a student is told about a submission."""
        return (self.feedback / student / _notebook(module)).with_suffix(".html")


def find_course(start: Path | None = None) -> Course:
    """Return the course that contains `start` (the working directory by default).

    Raises:
        CourseError: no parent folder is a course or a student kit.
    """
    try:
        here = (start or Path.cwd()).resolve()
    except FileNotFoundError:
        raise CourseError("The folder you are in is gone.", "Change into another one.") from None
    for folder in (here, *here.parents):
        if (folder / "nbgrader_config.py").is_file() and (folder / "pyproject.toml").is_file():
            return Course(folder)
    raise CourseError(
        f"{here} is not inside a TinyTorch course or student kit.", "Change into the folder you cloned or unzipped."
    )


def _notebook(module: Module) -> Path:
    """Where nbgrader wants a module's notebook below any of its folders."""
    return Path(module.folder, f"{module.name}.ipynb")
