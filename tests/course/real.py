"""The course itself, in a folder of its own: a module is built, released and exported when a test first asks for it."""

import re
import shutil
from functools import cached_property
from pathlib import Path

import nbformat
import pytest
from nbformat.notebooknode import NotebookNode
from nbgrader.apps import NbGraderAPI

from tito.course import Course
from tito.engine.skeleton import Skeleton, load_skeleton
from tito.grading.gradebook import open_gradebook
from tito.grading.settings import nbgrader_config
from tito.grading.stack import build_stack
from tito.registry import MODULES, Module
from tito.sources.build import build

REPOSITORY = Course(Path(__file__).parents[2])
COPIED = (
    "modules",
    "tests",
    "milestones",
    "datasets",
    "requirements",
    "pyproject.toml",
    "nbgrader_config.py",
    "LICENSE",
)
# Whole pages run once in `make test`, as scripts (`test_sources.py`); what runs them again does so for module 01 alone.
FIRST_OR_SLOW = [pytest.param(module, marks=pytest.mark.slow if module.number > 1 else ()) for module in MODULES]
UNCOPIED = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")


class RealCourse:
    """`real_course[module]` is that module; `real_course.course` holds them all, with one gradebook."""

    def __init__(self, root: Path) -> None:
        self.course, self._modules = Course(root), {}
        for name in COPIED:
            path = REPOSITORY.root / name
            if path.is_dir():
                shutil.copytree(path, root / name, ignore=UNCOPIED)
            else:
                shutil.copyfile(path, root / name)

    def __getitem__(self, module: Module) -> "RealModule":
        return self._modules.setdefault(module.folder, RealModule(self.course, module))


class RealModule:
    """One module: its notebooks and what it imports."""

    def __init__(self, course: Course, module: Module) -> None:
        self.course, self.module = course, module

    @cached_property
    def source(self) -> Path:
        """The notebook with solutions."""
        return build(self.course, self.module)

    @cached_property
    def release(self) -> Path:
        """The notebook that students receive; one that gives something away is made too (`test_real_release.py`)."""
        name = self.source.name
        with open_gradebook(self.course):
            pass  # creates the database, faster than nbgrader does by itself
        result = NbGraderAPI(config=nbgrader_config(self.course)).generate_assignment(self.module.folder, force=True)
        assert result["success"], result["log"]
        return self.course.release / self.module.folder / name

    @cached_property
    def stack(self) -> Path:
        """A folder with `tito`, the data sets and a `tinytorch` of only the modules before."""
        return build_stack(self.course, self.module, self.course.root / "stacks" / self.module.folder)

    @cached_property
    def skeleton(self) -> Skeleton:
        """What answers are laid onto."""
        return load_skeleton(self.release, self.source)

    @cached_property
    def solution(self) -> dict[str, str]:
        """`grade_id` -> text of every answer cell, the written ones too, in their order."""
        return {cell.id: cell.source for cell in read(self.source).cells if is_answer(cell)}

    def answered(self, texts: dict[str, str]) -> bytes:
        """The released notebook with some answer cells filled in.

        Raises:
            KeyError: there is no such answer cell.
        """
        notebook = read(self.release)
        cells = {cell.id: cell for cell in notebook.cells if is_answer(cell)}
        for grade_id, text in texts.items():
            cells[grade_id].source = text
        return nbformat.writes(notebook).encode()

    def hand_in(self, student: str, texts: dict[str, str]) -> None:
        """Put a submission where `tito collect` would."""
        path = self.course.submitted / student / self.module.folder / self.release.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.answered(texts))


def read(path: Path) -> NotebookNode:
    """Read a notebook."""
    return nbformat.read(path, as_version=4)


def is_answer(cell: NotebookNode) -> bool:
    """Whether the student writes here."""
    return bool(cell.metadata.get("nbgrader", {}).get("solution"))


def is_test(cell: NotebookNode) -> bool:
    """Whether the cell is a test that earns points."""
    return cell.cell_type == "code" and bool(cell.metadata.get("nbgrader", {}).get("grade"))


def message(cell: NotebookNode) -> str:
    """The errors and warnings under a cell, without the random names of folders."""
    outputs = cell.get("outputs", [])
    errors = ["\n".join(output.traceback) for output in outputs if output.output_type == "error"]
    warnings = [output.text for output in outputs if output.get("name") == "stderr"]
    return without_folders("\n".join(errors + warnings).strip())


def without_folders(text: str) -> str:
    """Leave the random names of temporary folders out."""
    return re.sub(r"/(seat|tmp)/[\w-]+", "/", text)
