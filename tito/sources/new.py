"""Begin a module: its row in the registry, and a page, a test, a misconception and an alternative to write over."""

import ast
import keyword
from pathlib import Path
from string import Template

from tito.course import Course
from tito.errors import CourseError
from tito.files import write_atomic
from tito.registry import MODULES, Module

TEMPLATES = Path(__file__).with_name("example_module")
POINTS, HOURS = 20, 3  # of the example; an author changes page and row together
END_OF_ROWS = "\n)  # fmt: skip\n\n\n"
ROW = '    Module({m.number}, "{m.name}", "{m.export}", {m.needs}, {m.points}, {m.hours}, "{m.gives}", {{}}),\n'


def new_module(course: Course, number: int, name: str, export: str) -> list[Path]:
    """Write what a new module consists of.

    Args:
        course: a checkout with `tito/registry.py`.
        number: the next one in the course.
        name: a word in small letters, for folders and files.
        export: where its exported cells go, relative to the package, such as "text.tokenization".

    Returns:
        The files that were written, the registry last.

    Raises:
        CourseError: number, name or export cannot be used, or a file is there already; then nothing is written.
    """
    module = Module(number, name, export, (1,), POINTS, HOURS, f"what {name} gives, in one phrase")
    _check(module)
    registry = course.root / "tito" / "registry.py"
    if not registry.is_file():
        raise CourseError(f"{course.root} has no tito/registry.py.", "Add a module in a checkout of the course.")
    files = _files(course, module)
    for path in files:
        if path.exists():
            shown = path.relative_to(course.root).as_posix()
            raise CourseError(f"{shown} is there already.", "Choose another name, or move it away.")
    files[registry] = with_row(registry.read_text(encoding="utf-8"), module)
    for path, text in files.items():
        write_atomic(path, text)
    return list(files)


def with_row(registry: str, module: Module) -> str:
    """Return the text of `tito/registry.py` with one more row at the end.

    Raises:
        CourseError: the list of modules does not end as expected.
    """
    row = ROW.format(m=module)
    if registry.count(END_OF_ROWS) != 1:
        raise CourseError("The end of the list in tito/registry.py was not found.", f"Add this row: {row.strip()}")
    text = registry.replace(END_OF_ROWS, f"\n{row.rstrip()}{END_OF_ROWS}", 1)
    ast.parse(text)
    return text


def _check(module: Module) -> None:
    if module.number != len(MODULES) + 1:
        raise CourseError(f"The next module has number {len(MODULES) + 1:02d}, not {module.number:02d}.", "Use that.")
    parts = module.export.split(".")
    for word in (module.name, *parts):
        if not word.isidentifier() or not word.islower() or keyword.iskeyword(word):
            raise CourseError(f"'{word}' cannot name a file of Python.", "Use one word in small letters.")
    if len(parts) < 2:
        raise CourseError(f"'{module.export}' names no package.", f"Write something like core.{module.export}.")
    if module.name in {m.name for m in MODULES} or module.export in {m.export for m in MODULES}:
        raise CourseError(f"'{module.name}' or '{module.export}' belongs to another module.", "Choose another name.")


def _files(course: Course, module: Module) -> dict[Path, str]:
    """What the templates become: path -> text."""
    tests = course.tests(module)
    words = {
        "number": f"{module.number:02d}",
        "name": module.name,
        "title": module.name.replace("_", " ").capitalize(),
        "export": module.export,
        "points": str(module.points),
        "hours": f"{module.hours:g}",
    }
    targets = {
        "page": course.teaching_source(module),
        "tests": tests / "test_progressive_integration.py",
        "misconception": tests / "misconceptions" / "one_mean_for_all.py",
        "alternative": tests / "alternatives" / "other_ways.py",
    }
    texts = {name: (TEMPLATES / f"{name}.txt").read_text(encoding="utf-8") for name in targets}
    return {path: Template(texts[name]).substitute(words) for name, path in targets.items()}
