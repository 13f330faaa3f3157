"""Known answers of students, right and wrong: `tests/NN_name/misconceptions/` and `tests/NN_name/alternatives/`.

A file holds a docstring that states the belief, comments for what it costs, and the answer cells that it changes, each
under its `grade_id`:

    \"\"\"The mean divides by the size of the array.\"\"\"
    # loses: test-mean, test-module

    # %% mean
    #| export
    def mean(x): ...
"""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from tito.course import Course
from tito.errors import CourseError
from tito.registry import Module

CELL = re.compile(r"^# %% *(\S*) *$", flags=re.MULTILINE)
KINDS = ("misconceptions", "alternatives")
LOSES = re.compile(r"^# loses: *(.+?) *$", flags=re.MULTILINE)


@dataclass(frozen=True)
class Variant:
    """Answers that somebody could give.

    path:    the file they stand in.
    belief:  what somebody who answers so thinks, in one sentence.
    answers: `grade_id` of an answer cell -> its text; the other cells are as in the reference solution.
    loses:   the test cells that fail; empty for an alternative.
    """

    path: Path
    belief: str
    answers: dict[str, str]
    loses: frozenset[str]

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self.path.stem


def misconceptions(course: Course, module: Module) -> list[Variant]:
    """Return the module's known wrong answers, by name.

    Raises:
        CourseError: a file is not as this module's docstring describes.
    """
    found = [read_variant(path) for path in variant_paths(course, module, "misconceptions")]
    for variant in found:
        if not variant.loses:
            raise CourseError(f"{variant.path} does not say what it loses.", "Add '# loses:' under its docstring.")
    return found


def alternatives(course: Course, module: Module) -> list[Variant]:
    """Return the module's known right answers other than the reference solution, by name.

    Raises:
        CourseError: a file is not as this module's docstring describes.
    """
    return [read_variant(path) for path in variant_paths(course, module, "alternatives")]


def variant_paths(course: Course, module: Module, kind: str) -> list[Path]:
    """Return the files of `kind`, "misconceptions" or "alternatives", by name."""
    return sorted((course.tests(module) / kind).glob("*.py"))


def read_variant(path: Path) -> Variant:
    """Read one file.

    Raises:
        CourseError: it is not Python, states no belief, or changes no cell or one cell twice.
    """
    text = path.read_text(encoding="utf-8")
    try:
        belief = ast.get_docstring(ast.parse(text)) or ""
    except SyntaxError as error:
        raise CourseError(f"{path}, line {error.lineno}, is not Python: {error.msg}.", "Correct the line.") from None
    if not belief:
        raise CourseError(f"{path} does not state a belief.", "Put it into a docstring on the first line.")
    head, *parts = CELL.split(text)
    names, bodies = parts[::2], [body.strip() for body in parts[1::2]]
    if not names or len(set(names)) < len(names) or "" in names:
        raise CourseError(f"{path} changes no cell, or one twice.", "Put each under its own '# %% GRADE_ID' line.")
    found = LOSES.search(head)
    loses = frozenset(found[1].replace(",", " ").split()) if found else frozenset()
    return Variant(path, belief, dict(zip(names, bodies, strict=True)), loses)
