"""The student kit: everything a student needs, as a folder and as a zip, and no answer."""

import os
import shutil
import zipfile
from pathlib import Path

from tito.course import Course
from tito.errors import CourseError
from tito.files import replace_folder, write_atomic
from tito.registry import MODULES, Module
from tito.release.leaks import check_public
from tito.release.notebooks import scratch
from tito.release.secrets import gather_secrets
from tito.sources.export import export

ALWAYS = ("pyproject.toml", "nbgrader_config.py", "LICENSE")
TREES = ("tito", "milestones", "datasets")
LEFT_OUT = shutil.ignore_patterns(
    "__pycache__",
    "*.pyc",
    ".ipynb_checkpoints",
    "misconceptions",
    "alternatives",
    "example_module",
    "mutation.json",  # lines of solutions
    "equivalents.toml",
)
STUDENT_REQUIREMENTS = Path("requirements/student.txt")
OLDEST_DATE = (1980, 1, 1, 0, 0, 0)  # the first that a zip can hold; the same kit is the same file on every day

TEMPLATE = Path(__file__).with_name("template")  # what stands in a kit and nowhere else: start.py, the README


def make_kit(course: Course) -> Path:
    """Collect the kit, look for leaked answers, and only then replace the previous folder and zip.

    Returns:
        The path of the zip.

    Raises:
        CourseError: nothing is released yet, a part is missing, or an answer would become public.
    """
    with scratch(course) as fresh:
        pack(course, fresh)
        check_public(gather_secrets(course, MODULES), fresh.kit)
        return publish_kit(course, fresh)


def pack(course: Course, fresh: Course) -> None:
    """Make the kit's folder and zip in `fresh`, with the notebooks released there before those of `course`.

    Raises:
        CourseError: there is no notebook, or a part is missing.
    """
    released = [(m, path) for m in MODULES for path in _latest(course, fresh, m)]
    if not released:
        raise CourseError("No module has been released yet.", "Run 'tito release' first.")
    _fill(course, released, fresh.kit)
    write_zip(fresh.kit, _archive(fresh))


def publish_kit(course: Course, fresh: Course) -> Path:
    """Put the kit's folder and zip from `fresh` in the place of the previous ones, one rename each; return the zip."""
    replace_folder(fresh.kit, course.kit)
    os.replace(_archive(fresh), _archive(course))
    return _archive(course)


def _latest(course: Course, fresh: Course, module: Module) -> list[Path]:
    """The module's notebook, as released now or before; none when it never was."""
    return [path for path in (fresh.released(module), course.released(module)) if path.is_file()][:1]


def _archive(course: Course) -> Path:
    return course.kit.with_suffix(".zip")


def _fill(course: Course, released: list[tuple[Module, Path]], kit: Path) -> None:
    for module, notebook in released:
        _copy(notebook, Course(kit).released(module))
        if course.tests(module).is_dir():
            shutil.copytree(course.tests(module), Course(kit).tests(module), ignore=LEFT_OUT)
        if course.checkpoint(module).is_file():
            _copy(course.checkpoint(module), Course(kit).checkpoint(module))
    for shared in sorted((course.root / "tests").glob("*.py")):
        _copy(shared, kit / "tests" / shared.name)
    for name in ALWAYS:
        if (course.root / name).is_file():
            _copy(course.root / name, kit / name)
    for name in TREES:
        if (course.root / name).is_dir():
            shutil.copytree(course.root / name, kit / name, ignore=LEFT_OUT)
    export(course, [], package=kit / "tinytorch")
    listing = "\n".join(f"    {m.folder:<16} {m.points:>3} points   {m.gives}" for m, _ in released)
    write_atomic(kit / "README.md", (TEMPLATE / "README.md").read_text(encoding="utf-8").format(modules=listing))
    _copy(TEMPLATE / "start.py", kit / "start.py")
    _copy_requirements(course.root, kit)


def _copy_requirements(root: Path, kit: Path) -> None:
    """Copy the student's pins, and the lists of names that pyproject.toml reads."""
    if not (root / STUDENT_REQUIREMENTS).is_file():
        raise CourseError(f"{STUDENT_REQUIREMENTS.as_posix()} is missing.", "Restore it from the repository.")
    for path in [root / STUDENT_REQUIREMENTS, *sorted((root / "requirements").glob("*.in"))]:
        _copy(path, kit / "requirements" / path.name)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def write_zip(folder: Path, archive: Path) -> None:
    """Write `folder` as a zip whose bytes depend on nothing but the files in it."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for path in sorted(folder.rglob("*"), key=lambda p: p.relative_to(folder).as_posix()):
            if path.is_file():
                info = zipfile.ZipInfo(f"{folder.name}/{path.relative_to(folder).as_posix()}", OLDEST_DATE)
                info.external_attr = 0o644 << 16
                info.compress_type = zipfile.ZIP_DEFLATED
                file.writestr(info, path.read_bytes())
