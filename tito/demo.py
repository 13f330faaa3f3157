"""The course end to end on a made-up class: what `tito demo` runs, with the commands that a person would type."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat

from tito.course import Course
from tito.errors import CourseError
from tito.files import write_atomic
from tito.registry import MODULES, Module
from tito.release.notebooks import release_modules
from tito.trusted.box import GET_IT, trouble

COPIED = ("modules", "datasets", "source", "nbgrader_config.py", "pyproject.toml")
ENDLESS = "while True:\n    pass"


def make_classroom(course: Course, module: Module) -> Course:
    """Return a fresh course in demo/ with one released module, so that the real gradebook stays as it is."""
    root = course.root / "demo"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    for name in COPIED:
        source = course.root / name
        if source.is_dir():
            shutil.copytree(source, root / name)
        else:
            shutil.copy2(source, root / name)
    classroom = Course(root)
    release_modules(classroom, [module])
    return classroom


def hand_in(classroom: Course, module: Module) -> Path:
    """Write the notebooks of five students into demo/inbox and return that folder.

    ada solved everything, ben the first half, cleo nothing; dina's upload broke off, eli's first answer never ends.
    """
    solved = classroom.built(module).read_text(encoding="utf-8")
    blank = classroom.released(module).read_text(encoding="utf-8")
    submissions = {
        "ada": answer(blank, solved, share=1.0),
        "ben": answer(blank, solved, share=0.5),
        "cleo": blank,
        "dina": solved[: len(solved) // 2],
        "eli": answer(blank, solved, share=1.0, first=ENDLESS),
    }
    inbox = classroom.root / "inbox"
    for student, text in submissions.items():
        write_atomic(inbox / student / f"{module.name}.ipynb", text)
    return inbox


def answer(blank: str, solved: str, share: float, first: str | None = None) -> str:
    """Return the notebook `blank` with the first `share` of its answers taken from `solved`.

    With `first`, that text stands in the first answer cell instead.
    """
    notebook, answers = nbformat.reads(blank, as_version=4), nbformat.reads(solved, as_version=4)
    by_id = {cell.id: cell.source for cell in answers.cells}
    cells = [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("solution")]
    for cell in cells[: round(share * len(cells))]:
        cell.source = by_id[cell.id]
    if first is not None:
        cells[0].source = first
    return str(nbformat.writes(notebook))


def run_demo(course: Course) -> None:
    """Build, release, grade and train, telling what happens.

    Raises:
        CourseError: a step failed; the message names it.
    """
    start = time.monotonic()
    say("1. From the teaching sources to the package, the notebooks and the student kit")
    for command in ("build", "export", "release"):
        tito(course, command)

    module = MODULES[0]
    classroom = make_classroom(course, module)
    inbox = hand_in(classroom, module)
    say(f"2. Five students hand in {module.folder}; two of them make trouble (in {classroom.root.name}/)")
    tito(classroom, "collect", inbox.name)
    tito(classroom, "grade", module.folder, *_isolation())
    tito(classroom, "feedback", module.folder)
    tito(classroom, "report", module.folder, "--csv", "grades.csv")

    say("3. The network of 1986, built on the exported package, learns to read handwriting")
    tito(course, "milestone", "run", "1986")

    say(f"Done in {time.monotonic() - start:.0f} s. What there is now, and what to do next")
    print(NEXT)


def _isolation() -> list[str]:
    """Options for grading: where there is no sandbox, the made-up class is graded without, and that is said."""
    if not (reason := trouble()):
        return []
    print(f"\nThis machine has no sandbox ({reason}), so these five are graded without. A real class should not be:")
    print(GET_IT)
    return ["--isolation=none"]


NEXT = """\
  tinytorch/               the framework             source/, release/   notebooks with and without answers
  kit/tinytorch-kit.zip    what students receive     demo/               the class: grades.csv, feedback/, gradebook.db
                                                     pictures/           what the network of 1986 looks for

  As a student      unzip the kit elsewhere, then: python start.py, tito lab 01, tito check 01
  As an instructor  give the kit to your class, then: tito collect FOLDER, tito grade, tito feedback, tito report
                    (or look at the demo class in nbgrader's Formgrader: cd demo, jupyter lab)
  As a maintainer   edit modules/01_tensor/tensor_dev.py, then: python modules/01_tensor/tensor_dev.py, make test"""


def say(title: str) -> None:
    """Print a heading."""
    print(f"\n{title}\n{'-' * len(title)}", flush=True)


def tito(course: Course, *words: str) -> None:
    """Show a `tito` command and run it in the course's folder."""
    print(f"$ tito {' '.join(words)}", flush=True)
    run(course, [sys.executable, "-m", "tito", *words])


def run(course: Course, command: list[str]) -> None:
    """Run a command in the course's folder.

    Raises:
        CourseError: it failed.
    """
    if subprocess.run(command, cwd=course.root, check=False).returncode:
        raise CourseError(f"The demo stopped at: {' '.join(command[1:])}.", "The lines above say why.")
